"""Everybody else on the nodes: pods and claims that are no pool's and ask for cards, and the nodes; by watches.

Of each object only what planning needs is kept, and nothing of a pod that asks for no card. What may not be looked at
is said (`unseen`), and is no reason to let a pass fail: what pools hold is known without it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from modelpool_operator.api import names
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import errors
from modelpool_operator.cluster.client import Object
from modelpool_operator.cluster.kinds import NODES, PODS, Kind, child
from modelpool_operator.planning.observation.holdings import Hold, of_claim, of_pod
from modelpool_operator.planning.sharing.inventory import NodeView

STRANGERS: Final = f"{names.MANAGED_BY_LABEL}!={names.MANAGED_BY}"
"""The mirror has the others."""
CLAIMS: Final = child("resource.k8s.io/v1", "ResourceClaim")

Reduce = Callable[[Mapping[str, Any]], Any]
"""From an object to what is kept of it; what is empty is not kept."""


class Reduced:
    """The objects of one kind, each reduced. As `mirror.Collection`, but what wakes pools is a node's name."""

    optional = True

    def __init__(self, kind: Kind, selector: str, reduce: Reduce, places: Callable[[Any], Iterable[str]]) -> None:
        self.kind = kind
        self.selector = selector
        self.problem: errors.ClusterError | None = None
        self.listed = False
        """Whether it was listed, and may be relied on as far as there is no problem."""
        self._reduce = reduce
        self._places = places
        self._values: dict[ObjectRef, Any] = {}
        self._sorted: tuple[Any, ...] | None = ()

    @property
    def values(self) -> tuple[Any, ...]:
        """What is kept of each object, by namespace and name."""
        if self._sorted is None:
            self._sorted = tuple(self._values[ref] for ref in sorted(self._values))
        return self._sorted

    def reduced(self, items: Iterable[Object]) -> dict[ObjectRef, Any]:
        """Return what is kept of listed objects."""
        found = {_ref_of(one): self._reduce(one) for one in items}
        return {ref: value for ref, value in found.items() if value}

    def replace(self, listed: dict[ObjectRef, Any], version: str) -> frozenset[ObjectRef]:
        """Take over a whole list, and return the nodes on which it makes a difference."""
        before, self._values, self._sorted, self.problem = self._values, listed, None, None
        self.listed = True
        changed = [ref for ref in before.keys() | listed.keys() if before.get(ref) != listed.get(ref)]
        found = (known[ref] for known in (before, listed) for ref in changed if ref in known)
        return frozenset(ObjectRef("", node) for value in found for node in self._places(value))

    def take(self, event: str, obj: Object) -> frozenset[ObjectRef]:
        """Take over one event of a watch, and return the nodes on which it makes a difference."""
        if event == "BOOKMARK":
            return frozenset()
        ref = _ref_of(obj)
        before, after = self._values.get(ref), None if event == "DELETED" else self._reduce(obj)
        if after:
            self._values[ref] = after
        else:
            self._values.pop(ref, None)
        if before == after or not (before or after):
            return frozenset()
        self._sorted = None
        return frozenset(ObjectRef("", node) for value in (before, after) if value for node in self._places(value))


def _ref_of(obj: Object) -> ObjectRef:
    return ObjectRef(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


class Surroundings:
    """All that is followed beside the mirror. One per operator."""

    def __init__(self, namespaces: Sequence[str] = ()) -> None:
        """No namespaces: all of them."""
        self._namespaces = tuple(namespaces)
        self.collections: dict[tuple[Kind, str | None], Reduced] = {
            (NODES, None): Reduced(NODES, "", NodeView.from_manifest, lambda node: (node.name,))
        }
        for namespace in self._namespaces or (None,):
            self.collections[PODS, namespace] = Reduced(PODS, STRANGERS, of_pod, _nodes_of)
            self.collections[CLAIMS, namespace] = Reduced(CLAIMS, STRANGERS, of_claim, _nodes_of)

    @property
    def nodes(self) -> tuple[NodeView, ...]:
        """All nodes, by name."""
        return self.collections[NODES, None].values

    @property
    def known_nodes(self) -> tuple[NodeView, ...] | None:
        """All nodes, by name; None where they are not watched, and are to be asked for."""
        one = self.collections[NODES, None]
        return one.values if one.listed and one.problem is None else None

    @property
    def strangers(self) -> tuple[Hold, ...]:
        """What nobody's pods and claims hold."""
        return tuple(
            hold
            for (kind, _), one in self.collections.items()
            if kind != NODES
            for holds in one.values
            for hold in holds
        )

    @property
    def unseen(self) -> str:
        """What is not looked at, as a sentence; empty where everything is."""
        denied = [one.kind.plural for one in self.collections.values() if isinstance(one.problem, errors.DeniedError)]
        said = []
        if self._namespaces:
            said.append(f"pools and pods outside of {', '.join(self._namespaces)} are not seen")
        if denied:
            said.append(f"the operator may not look at {', '.join(sorted(set(denied)))}")
        return "; ".join(said)


def _nodes_of(holds: Iterable[Hold]) -> Iterable[str]:
    return {hold.node for hold in holds if hold.node is not None}
