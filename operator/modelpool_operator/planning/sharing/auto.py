"""`sharing: auto`: the first way of sharing that the cluster offers and the pool can use, and by what one sees that.

Probes are asked in a fixed order: exact and counted by the scheduler before counted by others, before not counted at
all. Each one returns what it found, or what it missed; a pool that nothing is offered to is told all that was missed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from modelpool_operator.api import names
from modelpool_operator.api.pool import PoolSpec, Sharing
from modelpool_operator.api.status import SharingStatus
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.sharing.inventory import Inventory, NodeView, slice_memory_label
from modelpool_operator.planning.sharing.mode import Mode, engines_on_cards
from modelpool_operator.planning.sharing.visible_devices import DEFAULT_RUNTIME_CLASS

NO_SLICES: Final = frozenset({Sharing.DRA, Sharing.HAMI, Sharing.VISIBLE_DEVICES})
"""Ways that give whole cards, or parts of them that are no MIG slices."""
HAMI_RESOURCES: Final = ("nvidia.com/gpumem-percentage", "nvidia.com/gpumem")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What makes a way of sharing possible."""

    evidence: str
    resource_name: str | None = None
    """The extended resource to ask for, where it is not the spec's."""


Probe = Callable[[PoolSpec, Inventory], Offer | str]
"""From a pool and what its nodes offer to the evidence for one way of sharing, or what is missing."""


def choose(spec: PoolSpec, found: Inventory, modes: Mapping[Sharing, Mode]) -> SharingStatus | Refusal:
    """Return the way of sharing, or why there is none.

    Args:
        spec: what the user wants, cards and engines above all.
        found: what the pool's nodes offer.
        modes: the ways of sharing, which object to pools that they cannot serve.
    """
    missed, resource = [], spec.gpus.resource_name
    slices = slice_memory_label(resource) is not None
    for mode, probe in PROBES.items():
        if slices and mode in NO_SLICES:
            missed.append(f"{mode.value}: gives no slices, which `gpus.resourceName` {resource} asks for")
            continue
        offer = probe(spec, found)
        if isinstance(offer, str):
            missed.append(f"{mode.value}: {offer}")
            continue
        status = SharingStatus(mode=mode.value, evidence=offer.evidence, resource_name=offer.resource_name)
        objection = modes[mode].objection(settled(spec, status))
        if objection is None:
            return status
        missed.append(f"{mode.value}: is there ({offer.evidence}), but {objection.message}")
    message = f"`gpus.sharing` is 'auto', and the pool's nodes offer no way to share a card: {'; '.join(missed)}"
    return Refusal(reason="NoSharingOffered", message=message, passing=True)


def kept(spec: PoolSpec, before: SharingStatus | None, *, runs: bool) -> SharingStatus | None:
    """Return the way of sharing that a pool keeps because it runs with it; None where there is one to be chosen.

    Args:
        spec: what the user wants.
        before: what was chosen the last time.
        runs: whether the pool has engines, or had them stopped.
    """
    if spec.gpus.sharing is not Sharing.AUTO or before is None or not runs:
        return None
    return before if before.mode in {mode.value for mode in PROBES} else None


def settled(spec: PoolSpec, chosen: SharingStatus) -> PoolSpec:
    """Return the spec as if the user had said what was chosen."""
    resource = chosen.resource_name or spec.gpus.resource_name
    gpus = structs.replace(spec.gpus, sharing=Sharing(chosen.mode), resource_name=resource)
    return structs.replace(spec, gpus=gpus)


def _dra(spec: PoolSpec, found: Inventory) -> Offer | str:
    if names.DRA_DRIVER not in found.device_classes:
        return f"no DeviceClass {names.DRA_DRIVER}"
    counts: dict[str, int] = {}
    for device in found.devices:
        counts[device.node] = counts.get(device.node, 0) + 1
    node = next((name for name, count in sorted(counts.items()) if count >= spec.gpus.count), None)
    if node is None:
        most = max(counts.values(), default=0)
        return (
            f"no node has {spec.gpus.count} devices of driver {names.DRA_DRIVER} in its ResourceSlices, at most {most}"
        )
    evidence = f"DeviceClass {names.DRA_DRIVER}, and {_counted(counts[node], 'device')} of that driver on node {node}"
    return Offer(evidence=evidence)


def _hami(spec: PoolSpec, found: Inventory) -> Offer | str:
    for node in found.nodes:
        if node.has_hami:
            return Offer(evidence=f"node {node.name} has the annotation {names.HAMI_NODE_ANNOTATION}")
        resource = next((name for name in HAMI_RESOURCES if node.resources.get(name)), None)
        if resource is not None:
            return Offer(evidence=f"node {node.name} offers {resource}")
    return f"no node has the annotation {names.HAMI_NODE_ANNOTATION} or offers {HAMI_RESOURCES[0]}"


def _time_slicing(spec: PoolSpec, found: Inventory) -> Offer | str:
    wanted, offered = len(engines_on_cards(spec)), 0
    shared = _shared_resource(spec)
    for node in found.nodes:
        renamed, usual = node.resources.get(shared, 0), node.resources.get(spec.gpus.resource_name, 0)
        strategy = node.labels.get(names.NODE_GPU_SHARING_LABEL)
        if strategy == "mps" or (renamed == 0 and strategy != "time-slicing"):
            continue
        resource = shared if renamed else spec.gpus.resource_name
        replicas = renamed or usual
        offered = max(offered, replicas)
        if replicas >= wanted:
            evidence = f"node {node.name} offers {_counted(replicas, 'replica')} of {resource}"
            return Offer(evidence=evidence, resource_name=None if resource == spec.gpus.resource_name else resource)
    if offered:
        return f"nodes offer at most {_counted(offered, 'replica')} of a card, and the pool has {wanted} engines"
    return f"no node offers {shared} or has the label {names.NODE_GPU_SHARING_LABEL}=time-slicing"


def _shared_resource(spec: PoolSpec) -> str:
    """Return what the device plugin calls one of several parts of the pool's resource, where it renames them."""
    return f"{spec.gpus.resource_name.removesuffix(names.SHARED_SUFFIX)}{names.SHARED_SUFFIX}"


def _exclusive(spec: PoolSpec, found: Inventory) -> Offer | str:
    wanted, resource = sum(engines_on_cards(spec).values()), spec.gpus.resource_name
    whole = [node for node in found.nodes if _is_whole(node)]
    node = next((node for node in whole if node.resources.get(resource, 0) >= wanted), None)
    if node is None:
        most = max((node.resources.get(resource, 0) for node in whole), default=0)
        return f"no node offers {wanted} whole cards as {resource}, one for each engine, at most {most}"
    return Offer(evidence=f"node {node.name} offers {_counted(node.resources[resource], 'whole card')} as {resource}")


def _is_whole(node: NodeView) -> bool:
    return node.labels.get(names.NODE_GPU_SHARING_LABEL, "none") == "none"


def _visible_devices(spec: PoolSpec, found: Inventory) -> Offer | str:
    runtime = spec.gpus.runtime_class_name or DEFAULT_RUNTIME_CLASS
    if runtime not in found.runtime_classes:
        return f"no RuntimeClass {runtime}"
    if not found.nodes:
        return "no node fits `nodeSelector`, the required `affinity.nodeAffinity` and `tolerations`"
    return Offer(evidence=f"RuntimeClass {runtime}, and nothing that counts cards")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


PROBES: Final[Mapping[Sharing, Probe]] = {
    Sharing.DRA: _dra,
    Sharing.HAMI: _hami,
    Sharing.TIME_SLICING: _time_slicing,
    Sharing.EXCLUSIVE: _exclusive,
    Sharing.VISIBLE_DEVICES: _visible_devices,
}
