"""What the API server holds of all pools' children and pods, as far as lists and watches have told.

One `Collection` per kind, and per namespace where not all are served; `reflector` keeps it in step. Objects are kept as
the text they came in, since hundreds of pools have tens of thousands of them and a pass reads some twenty.

A pass must see what an earlier one wrote, although the watch may not have told yet: so the answers to our own writes
are taken over, and nothing older is. That an answer is newer than what was told shows in its resourceVersion, a
number that grows with every change of its kind (https://kep.k8s.io/5504).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from modelpool_operator.api import names
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import errors
from modelpool_operator.cluster.client import Object
from modelpool_operator.cluster.kinds import CHILDREN, ENDPOINT_SLICES, PODS, Kind, child
from modelpool_operator.planning.manifests.pull_records import does_not_stay

SELECTOR: Final = f"{names.MANAGED_BY_LABEL}={names.MANAGED_BY},{names.POOL_LABEL}"
"""Nobody else's objects shall flow through this process, least of all every Pod of the cluster."""
MIRRORED: Final = (PODS, ENDPOINT_SLICES, *CHILDREN)
"""An EndpointSlice bears the labels of its Service, ours among them."""
READ_ONLY: Final = frozenset({PODS.kind, ENDPOINT_SLICES.kind})
"""Kinds of which nothing is written."""
_JOBS: Final = child("batch/v1", "Job")


class Entry(NamedTuple):
    """One object."""

    pool: ObjectRef
    """By its label."""
    version: int
    text: bytes


def version_of(obj: Object) -> int:
    """Return an object's resourceVersion; 0, older than any, where it is no number."""
    text = obj["metadata"].get("resourceVersion") or ""
    return int(text) if text.isdecimal() else 0


def entry_of(obj: Object) -> Entry:
    """Return what is kept of an object: all, but for the book of what we wrote, and of all where we write nothing."""
    metadata = obj["metadata"]
    book = [] if obj["kind"] in READ_ONLY else [_without_ours(entry) for entry in metadata.get("managedFields") or ()]
    if "managedFields" in metadata:
        metadata = {key: value for key, value in metadata.items() if key != "managedFields"}
        obj = {**obj, "metadata": {**metadata, "managedFields": book} if book else metadata}
    pool = ObjectRef(metadata["namespace"], (metadata.get("labels") or {}).get(names.POOL_LABEL, ""))
    return Entry(pool, version_of(obj), msgspec.json.encode(obj))


def _without_ours(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an entry of the book; of what we wrote, that we did: which fields it were is a third of a Deployment."""
    if entry.get("manager") != names.FIELD_MANAGER:
        return entry
    return {key: value for key, value in entry.items() if key != "fieldsV1"}


def ref_of(obj: Object) -> ObjectRef:
    """Return the identity of an object within its kind."""
    return ObjectRef(obj["metadata"]["namespace"], obj["metadata"]["name"])


class Collection:
    """The objects of one kind. No I/O, so that events in any order test it."""

    selector = SELECTOR
    optional = False
    """Whether passes go on where it may not be looked at."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.problem: errors.ClusterError | None = errors.UnreachableError(
            f"Could not list {kind.plural}: not yet asked"
        )
        """Why what is here cannot be relied on, or None."""
        self._entries: dict[ObjectRef, Entry] = {}
        self._by_pool: defaultdict[ObjectRef, set[ObjectRef]] = defaultdict(set)
        self._told = 0
        """The version up to which everything was told."""
        self._ended: defaultdict[ObjectRef, dict[str, int]] = defaultdict(dict)
        """Jobs that were complete and went by themselves, by pool and name, with the version at which they did."""

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def pools(self) -> Iterable[ObjectRef]:
        """Whose objects are there, as their labels have it."""
        return self._by_pool.keys()

    def of(self, pool: ObjectRef) -> list[Object]:
        """Return the objects with a pool's label, by name.

        Raises:
            errors.ClusterError: they are not known.
        """
        if self.problem is not None:
            raise self.problem
        return [msgspec.json.decode(self._entries[ref].text) for ref in sorted(self._by_pool.get(pool, ()))]

    def ended(self, pool: ObjectRef) -> dict[str, int]:
        """Return the Jobs of a pool that were complete and went by themselves."""
        return dict(self._ended.get(pool, ()))

    def let_go(self, pool: ObjectRef) -> None:
        """Forget what a pool had that is no more."""
        self._ended.pop(pool, None)

    def reduced(self, items: Iterable[Object]) -> dict[ObjectRef, Entry]:
        """Return what is kept of listed objects."""
        return {ref_of(one): entry_of(one) for one in items}

    def replace(self, listed: dict[ObjectRef, Entry], version: str) -> frozenset[ObjectRef]:
        """Take over a whole list, and return the pools whose objects differ from what was known.

        What we wrote since the list was made stays.
        """
        self._told = int(version) if version.isdecimal() else 0
        before = self._entries
        newer = {ref: entry for ref, entry in before.items() if entry.version > self._told}
        self._entries = {**listed, **newer}
        self._by_pool.clear()
        for ref, entry in self._entries.items():
            self._by_pool[entry.pool].add(ref)
        changed = {ref for ref in before.keys() | self._entries.keys() if before.get(ref) != self._entries.get(ref)}
        found = {known[ref].pool for known in (before, self._entries) for ref in changed if ref in known}
        self.problem = None
        return frozenset(found)

    def take(self, event: str, obj: Object) -> frozenset[ObjectRef]:
        """Take over one event of a watch, and return the pool that it concerns."""
        self._told = max(self._told, version_of(obj))
        if event == "BOOKMARK":
            return frozenset()
        ref, entry = ref_of(obj), entry_of(obj)
        if event == "DELETED" and obj["kind"] == "Job" and does_not_stay(obj):
            self._ended[entry.pool][ref.name] = entry.version
        known = self._entries.get(ref)
        if known is None or known.version <= entry.version:
            self._forget(ref) if event == "DELETED" else self._put(ref, entry)
        return frozenset((entry.pool,))

    def note(self, answer: Object) -> None:
        """Take over the answer to a write of ours, unless the watch has told it already, or what came after it."""
        ref, entry = ref_of(answer), entry_of(answer)
        if entry.version > self._told:
            self._put(ref, entry)

    def drop(self, ref: ObjectRef) -> None:
        """Forget an object that we deleted; should it take its time to go, the watch tells of it."""
        self._forget(ref)

    def _put(self, ref: ObjectRef, entry: Entry) -> None:
        self._forget(ref)
        self._entries[ref] = entry
        self._by_pool[entry.pool].add(ref)

    def _forget(self, ref: ObjectRef) -> None:
        entry = self._entries.pop(ref, None)
        if entry is not None:
            self._by_pool[entry.pool].discard(ref)
            if not self._by_pool[entry.pool]:
                del self._by_pool[entry.pool]


class Mirror:
    """All collections. One per operator."""

    def __init__(self, namespaces: Iterable[str | None] = (None,), kinds: Sequence[Kind] = MIRRORED) -> None:
        """No namespaces but None: all of them."""
        self.collections = {(kind, namespace): Collection(kind) for namespace in namespaces for kind in kinds}

    def of(self, kind: Kind, pool: ObjectRef) -> list[Object]:
        """Return the objects of a kind that carry a pool's label.

        Raises:
            errors.ClusterError: they are not known.
        """
        return self._collection(kind, pool.namespace).of(_labelled(pool))

    def others(self, kind: Kind, pools: Iterable[ObjectRef]) -> frozenset[ObjectRef]:
        """Return whose objects of a kind are there beside these pools', by their labels; of what is not known, none."""
        found = [one for (of, _), one in self.collections.items() if of == kind and one.problem is None]
        return frozenset(pool for one in found for pool in one.pools).difference(map(_labelled, pools))

    def ended(self, pool: ObjectRef) -> dict[str, int]:
        """Return the Jobs of a pool that were complete and went by themselves, with a number that grows."""
        return self._collection(_JOBS, pool.namespace).ended(_labelled(pool))

    def let_go(self, pool: ObjectRef) -> None:
        """Forget what a pool had that is no more."""
        self._collection(_JOBS, pool.namespace).let_go(_labelled(pool))

    def note(self, kind: Kind, answer: Object) -> None:
        """Take over the answer to a write of ours."""
        self._collection(kind, answer["metadata"]["namespace"]).note(answer)

    def drop(self, kind: Kind, ref: ObjectRef) -> None:
        """Forget an object that we deleted."""
        self._collection(kind, ref.namespace).drop(ref)

    def _collection(self, kind: Kind, namespace: str) -> Collection:
        everywhere = self.collections.get((kind, None))
        return everywhere if everywhere is not None else self.collections[kind, namespace]


def _labelled(pool: ObjectRef) -> ObjectRef:
    """Return a pool as the labels of its objects have it."""
    return ObjectRef(pool.namespace, names.label_value(pool.name))
