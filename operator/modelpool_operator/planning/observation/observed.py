"""What exists, reduced to what decisions need. The `cluster` layer lists objects and hands their dictionaries over.

Reducers are pure and tolerant: an absent field reads as nothing, never as an error.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from modelpool_operator.api import names
from modelpool_operator.api.status import SharingStatus
from modelpool_operator.planning.objects.identity import ChildRef, Manifest, ref_of
from modelpool_operator.planning.observation.autoscaling import Scale
from modelpool_operator.planning.observation.holdings import Neighbours
from modelpool_operator.planning.observation.installation import Installation
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.planning.sharing.inventory import Inventory


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the control plane, or a kubelet, last said of something that hangs: an Event."""

    reason: str
    """PascalCase: `ProvisioningFailed`, `FailedMount`, `FailedCreate`."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything one reconciliation looks at."""

    children: Mapping[ChildRef, Manifest] = field(default_factory=dict)
    """Live objects of `manifests.CHILD_KINDS` whose controlling owner is the pool, as the API server holds them."""
    pods: tuple[PodView, ...] = ()
    """Pods that carry the pool's label."""
    endpoints: Mapping[str, frozenset[str]] | None = None
    """Pods that each Service of the pool reaches, by name; None where nobody looked."""
    inventory: Inventory = field(default_factory=Inventory)
    """What nodes offer: those of the pool where their cards have to be found out; else those on which it runs."""
    every_node: bool = False
    """Whether the inventory has all nodes: while a pool has no engines, and while a pod finds no node."""
    chosen: SharingStatus | None = None
    """The way of sharing that was chosen for the pool before."""
    scales: Mapping[str, Scale] = field(default_factory=dict)
    """What was decided for the models that have `autoscaling`, by name."""
    refused: Mapping[ChildRef, str] = field(default_factory=dict)
    """Children that the API server does not take, with what it said."""
    fought_over: frozenset[ChildRef] = frozenset()
    """Children that others change back again and again."""
    said: Mapping[tuple[str, str], Said] = field(default_factory=dict)
    """What was said of objects that hang, by kind and name."""
    claimed: Mapping[str, names.ObjectRef] = field(default_factory=dict)
    """Model names and aliases that an older pool serves; the gateway leaves them to that one."""
    ended: Mapping[str, int] = field(default_factory=dict)
    """Jobs that were seen to be complete and went since, by name; a higher number is a later one."""
    installation: Installation = field(default_factory=Installation)
    """What the operator was told of itself."""
    neighbours: Neighbours = field(default_factory=Neighbours)
    """What others hold of cards, and on which nodes."""

    @classmethod
    def from_manifests(
        cls,
        *,
        children: Iterable[Manifest] = (),
        pods: Iterable[Mapping[str, Any]] = (),
        inventory: Inventory | None = None,
        every_node: bool = False,
        chosen: SharingStatus | None = None,
        logs: Mapping[str, Iterable[str]] | None = None,
        claimed: Mapping[str, names.ObjectRef] | None = None,
        ended: Mapping[str, int] | None = None,
        slices: Iterable[Mapping[str, Any]] | None = None,
        said: Mapping[tuple[str, str], Said] | None = None,
    ) -> Self:
        """Return the view of listed objects.

        Args:
            children: must carry apiVersion and kind, which a list's items from the API server lack.
            pods: of the pool, by its label.
            inventory: what nodes offer.
            every_node: whether it has all nodes.
            chosen: the way of sharing, from the pool's status.
            logs: last lines by pod name.
            claimed: names that older pools serve.
            ended: Jobs that were complete and went.
            slices: EndpointSlices of the pool's Services; None where nobody looked.
            said: of objects that hang, by kind and name.
        """
        logs = logs or {}
        return cls(
            children={ref_of(child): child for child in children},
            pods=tuple(
                PodView.from_manifest(pod, logs.get((pod.get("metadata") or {}).get("name", ""), ())) for pod in pods
            ),
            inventory=inventory or Inventory(),
            every_node=every_node,
            chosen=chosen,
            claimed=dict(claimed or {}),
            ended=dict(ended or {}),
            endpoints=None if slices is None else _reached(slices),
            said=dict(said or {}),
        )

    def child(self, kind: str, name: str) -> Manifest | None:
        """Return the live child, or None."""
        return next((live for ref, live in self.children.items() if (ref.kind, ref.name) == (kind, name)), None)


def _reached(slices: Iterable[Mapping[str, Any]]) -> Mapping[str, frozenset[str]]:
    """Return the pods that are ready endpoints, by their Service; an endpoint of which nothing is said is ready."""
    found: dict[str, set[str]] = {}
    for one in slices:
        service = ((one.get("metadata") or {}).get("labels") or {}).get(names.SERVICE_LABEL, "")
        for endpoint in one.get("endpoints") or ():
            target = endpoint.get("targetRef") or {}
            if target.get("kind") == "Pod" and (endpoint.get("conditions") or {}).get("ready") is not False:
                found.setdefault(service, set()).add(target.get("name", ""))
    return {service: frozenset(pods) for service, pods in found.items()}
