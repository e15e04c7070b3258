"""What a cluster offers in cards, reduced from its nodes, its DRA devices and a few classes. Pure, and tolerant.

The `cluster` layer lists the objects; `sharing.auto` and `cards` draw conclusions from them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from modelpool_operator.api import names
from modelpool_operator.api.quantity import GIB, MIB, Quantity, number_of

WHOLE_CARD: Final = "gpu"
"""The attribute `type` of a device that is a card; parts of one have another."""


_LABELLED: Final = re.compile(r"([0-9]{1,9})(?:([MG])iB?)?")


def card_memory(label: str) -> int | None:
    """Return the bytes that a node's label tells, or None where nobody can say.

    Feature discovery writes MiB as a plain number; by hand people write the unit, `24576MiB` or `24GiB`.
    """
    match = _LABELLED.fullmatch(label)
    return (int(match[1]) * (GIB if match[2] == "G" else MIB) or None) if match else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taint:
    """What keeps pods off a node that do not tolerate it."""

    key: str
    value: str = ""
    effect: str

    def __str__(self) -> str:
        return f"{self.key}{'=' if self.value else ''}{self.value}:{self.effect}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One node, as far as cards go, and whom it lets in."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    gpu_memory: int | None = None
    """Bytes of one card: the label nvidia.com/gpu.memory, which counts MiB."""
    resources: Mapping[str, int] = field(default_factory=dict)
    """What pods can be given of extended resources, by name; also one of which there is none at present."""
    allocatable: Mapping[str, str] = field(default_factory=dict)
    """What pods can be given of everything, as the node says it."""
    taints: tuple[Taint, ...] = ()
    cordoned: bool = False
    has_hami: bool = False
    """Whether HAMi's device plugin has registered its cards."""

    @classmethod
    def from_manifest(cls, node: Mapping[str, Any]) -> Self:
        """Return the view of a Node."""
        metadata, spec = node.get("metadata") or {}, node.get("spec") or {}
        labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
        allocatable = (node.get("status") or {}).get("allocatable") or {}
        return cls(
            name=metadata.get("name", ""),
            labels=dict(labels),
            gpu_memory=card_memory(labels.get(names.NODE_GPU_MEMORY_LABEL, "")),
            resources={
                name: int(amount)
                for name, text in allocatable.items()
                if "/" in name and (amount := number_of(text)) is not None
            },
            allocatable={name: str(amount) for name, amount in allocatable.items()},
            taints=tuple(
                Taint(key=one.get("key") or "", value=one.get("value") or "", effect=one.get("effect") or "")
                for one in spec.get("taints") or ()
            ),
            cordoned=bool(spec.get("unschedulable")),
            has_hami=names.HAMI_NODE_ANNOTATION in annotations,
        )

    def memory_of(self, resource: str | None) -> int | None:
        """Return the bytes of what one of a resource is: a slice's, which has a label of its own, or a card's."""
        label = slice_memory_label(resource)
        return self.gpu_memory if label is None else card_memory(self.labels.get(label, ""))


def slice_memory_label(resource: str | None) -> str | None:
    """Return the label that tells the memory of a MIG slice, such as nvidia.com/mig-3g.20gb; None of another resource.

    Where slices are shared, their resource has a suffix, and their labels have not.
    """
    if resource is None or not resource.startswith(names.MIG_RESOURCES):
        return None
    return f"{resource.removesuffix(names.SHARED_SUFFIX)}.memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """One card as NVIDIA's DRA driver publishes it."""

    node: str
    name: str
    memory: int | None = None
    """Bytes: the capacity `memory`."""
    shareable: bool = False
    """Whether several claims may have it, each of them as much as it asks for."""


def devices_in(resource_slice: Mapping[str, Any]) -> tuple[DeviceView, ...]:
    """Return the whole cards of a ResourceSlice of NVIDIA's driver; one of another, or of no single node, has none."""
    spec = resource_slice.get("spec") or {}
    node = spec.get("nodeName")
    if spec.get("driver") != names.DRA_DRIVER or not node:
        return ()
    return tuple(
        DeviceView(
            node=node,
            name=device.get("name", ""),
            memory=_memory(device),
            shareable=bool(device.get("allowMultipleAllocations")),
        )
        for device in spec.get("devices") or ()
        if _attribute(device, "type") in (None, WHOLE_CARD)
    )


def _attribute(device: Mapping[str, Any], name: str) -> str | None:
    found: str | None = ((device.get("attributes") or {}).get(name) or {}).get("string")
    return found


def _memory(device: Mapping[str, Any]) -> int | None:
    """Return the capacity `memory`; one that nobody can read is none."""
    text = ((device.get("capacity") or {}).get("memory") or {}).get("value")
    try:
        return Quantity(text).bytes if text is not None else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Everything that was looked at."""

    nodes: tuple[NodeView, ...] = ()
    devices: tuple[DeviceView, ...] = ()
    device_classes: frozenset[str] = frozenset()
    """Names; only looked at where the way of sharing has to be found."""
    runtime_classes: frozenset[str] = frozenset()
    """Names; likewise."""

    @classmethod
    def from_manifests(
        cls,
        *,
        nodes: Iterable[Mapping[str, Any]] = (),
        resource_slices: Iterable[Mapping[str, Any]] = (),
        device_classes: Iterable[Mapping[str, Any]] = (),
        runtime_classes: Iterable[Mapping[str, Any]] = (),
    ) -> Self:
        """Return the view of listed objects."""
        return cls(
            nodes=tuple(NodeView.from_manifest(node) for node in nodes),
            devices=tuple(device for one in resource_slices for device in devices_in(one)),
            device_classes=_named(device_classes),
            runtime_classes=_named(runtime_classes),
        )

    @property
    def whole_card(self) -> int | None:
        """Bytes that a claim must ask for to have a card to itself; None where it has one anyway."""
        return min((one.memory for one in self.devices if one.shareable and one.memory is not None), default=None)

    def memories(self, *, by_devices: bool, resource: str | None = None) -> Mapping[str, tuple[int, ...]]:
        """Return the bytes of the cards of each node of which they are known, the least first.

        Args:
            by_devices: whether the driver's word counts before the label's.
            resource: what an engine asks for; of a slice of a card only its own label tells.
        """
        of_nodes = ((node.name, node.memory_of(resource)) for node in self.nodes)
        labelled = {name: (memory,) for name, memory in of_nodes if memory is not None}
        if slice_memory_label(resource) is not None:
            return labelled
        published: dict[str, tuple[int, ...]] = {}
        for device in self.devices:
            if device.memory is not None:
                published[device.node] = tuple(sorted({*published.get(device.node, ()), device.memory}))
        return {**labelled, **published} if by_devices else {**published, **labelled}


def _named(objects: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset((one.get("metadata") or {}).get("name", "") for one in objects)
