"""Which pool serves a name that several claim: as the gateway decides it, from the same documents by the same rule.

The older pool keeps a name, of two as old the first by namespace and name. A model whose name is taken is not served at
all, and has none of its aliases. Names that differ in what does not matter to Ollama are one (`names.folded`). What
a pool has is what its routes say: one that was never planned has none. Kept in memory; it knows no cluster.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from modelpool_operator.api import names
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.planning.manifests.routes import Entry

_NEVER: Final = datetime.max.replace(tzinfo=UTC)

Losses = Mapping[ObjectRef, Mapping[str, ObjectRef]]


class _Entries(NamedTuple):
    created: datetime
    ref: ObjectRef
    entries: tuple[Entry, ...]


class ModelNames:
    """Names and aliases, with the pools that claim them."""

    def __init__(self) -> None:
        self._model_names: dict[ObjectRef, _Entries] = {}
        self._losses: Losses | None = {}
        """Of the claims as they are; None where they are to be settled anew."""

    def __len__(self) -> int:
        """Pools that claim something."""
        return len(self._model_names)

    def note(self, ref: ObjectRef, created: datetime | None, entries: tuple[Entry, ...]) -> None:
        """Take note of what the routes of a pool say, as long as nobody asks yet."""
        if entries:
            self._model_names[ref] = _Entries(created or _NEVER, ref, entries)
        else:
            self._model_names.pop(ref, None)
        self._losses = None

    def put(self, ref: ObjectRef, created: datetime | None, entries: tuple[Entry, ...]) -> frozenset[ObjectRef]:
        """Take note of what the routes of a pool say, and return the other pools to whom this makes a difference."""
        known = self._model_names.get(ref)
        if (known.entries if known else ()) == entries and (known is None or known.created == (created or _NEVER)):
            return frozenset()
        before = self._settled()
        self.note(ref, created, entries)
        after = self._settled()
        return frozenset(
            one for one in before.keys() | after.keys() if one != ref and before.get(one) != after.get(one)
        )

    def drop(self, ref: ObjectRef) -> frozenset[ObjectRef]:
        """Forget a pool, and return the other pools to whom this makes a difference."""
        return self.put(ref, None, ())

    def lost_by(self, ref: ObjectRef) -> Mapping[str, ObjectRef]:
        """Return the names of a pool that another pool serves, with that pool."""
        return self._settled().get(ref, {})

    def _settled(self) -> Losses:
        if self._losses is None:
            self._losses = _settle(sorted(self._model_names.values()))
        return self._losses


def _settle(claims: list[_Entries]) -> Losses:
    """Return what each pool loses, and to whom; the oldest claim comes first."""
    holders: dict[str, tuple[ObjectRef, Entry]] = {}
    losses: dict[ObjectRef, dict[str, ObjectRef]] = {}
    for _, ref, entries in claims:
        for entry in entries:
            holder = holders.setdefault(names.folded(entry.name), (ref, entry))
            if holder[0] != ref:
                losses.setdefault(ref, {})[entry.name] = holder[0]
        for entry in entries:
            if holders[names.folded(entry.name)][1] is not entry:
                continue
            for alias in entry.aliases:
                owner = holders.setdefault(names.folded(alias), (ref, entry))[0]
                if owner != ref:
                    losses.setdefault(ref, {})[alias] = owner
    return losses
