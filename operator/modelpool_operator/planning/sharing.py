"""How the pods of one card share it: one strategy per mode. Nobody else asks which mode a pool has.

`timeSlicing` asks the scheduler for one replica of the extended resource. The device plugin decides which card that
is, so it serves pools of one card only. `visibleDevices` names the cards by index through the container runtime and
asks the scheduler for nothing: exact cards, no accounting, so the pool must say which nodes have them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from modelpool_operator.api.pool import PoolSpec, Sharing
from modelpool_operator.planning.refusals import Refusal

DEFAULT_RUNTIME_CLASS: Final = "nvidia"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a pod needs in its template to see its cards."""

    limits: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    runtime_class_name: str | None = None


NO_CARD: Final = Access(env={"CUDA_VISIBLE_DEVICES": "-1", "NVIDIA_VISIBLE_DEVICES": "void"})
"""Of a pod that must not see any card, even where the node's default runtime shows all of them to everybody."""


class Mode(Protocol):
    """One way to share a card."""

    def objection(self, spec: PoolSpec) -> Refusal | None:
        """Return why the pool cannot be shared in this way, or None."""
        ...

    def access(self, spec: PoolSpec, gpus: tuple[int, ...]) -> Access:
        """Return how a pod gets at these cards. Called only for pools without objection."""
        ...


class TimeSlicing:
    """One replica of the device plugin's resource per engine."""

    def objection(self, spec: PoolSpec) -> Refusal | None:
        """Refuse more than one card: replicas of several cards cannot be told apart."""
        if spec.gpus.count > 1:
            message = (
                f"`gpus.count` must be 1 with sharing 'timeSlicing', got {spec.gpus.count}: the device plugin chooses"
                " the card and may put every engine on the same one; use 'visibleDevices', or one pool per card"
            )
            return Refusal(reason="SharingNotPossible", message=message)
        return None

    def access(self, spec: PoolSpec, gpus: tuple[int, ...]) -> Access:
        """Ask for one replica; the plugin says which card."""
        return Access(limits={spec.gpus.resource_name: "1"}, runtime_class_name=spec.gpus.runtime_class_name)


class VisibleDevices:
    """Cards by index, through the container runtime."""

    def objection(self, spec: PoolSpec) -> Refusal | None:
        """Refuse a pool that may land on any node: the scheduler would not know where cards are, or how many."""
        if spec.node_selector or (spec.affinity or {}).get("nodeAffinity"):
            return None
        message = (
            "`nodeSelector` or `affinity.nodeAffinity` is required with sharing 'visibleDevices': the scheduler does"
            " not count these cards, so the pool must name the node that has them"
        )
        return Refusal(reason="NodeNotPinned", message=message)

    def access(self, spec: PoolSpec, gpus: tuple[int, ...]) -> Access:
        """Show the cards, in bus order so that an index means the same to the runtime and to CUDA."""
        return Access(
            env={"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "NVIDIA_VISIBLE_DEVICES": ",".join(str(gpu) for gpu in gpus)},
            runtime_class_name=spec.gpus.runtime_class_name or DEFAULT_RUNTIME_CLASS,
        )


@dataclass(frozen=True, slots=True)
class NotYet:
    """A mode that the API knows and this version cannot do."""

    name: str

    def objection(self, spec: PoolSpec) -> Refusal | None:
        """Refuse every pool."""
        message = f"`gpus.sharing` must be 'timeSlicing' or 'visibleDevices' in this version, got '{self.name}'"
        return Refusal(reason="SharingNotSupported", message=message)

    def access(self, spec: PoolSpec, gpus: tuple[int, ...]) -> Access:
        """Never called: every pool has been refused."""
        raise AssertionError(f"sharing {self.name} was planned although it is refused")


MODES: Final[Mapping[Sharing, Mode]] = {
    Sharing.TIME_SLICING: TimeSlicing(),
    Sharing.VISIBLE_DEVICES: VisibleDevices(),
    Sharing.HAMI: NotYet("hami"),
    Sharing.DRA: NotYet("dra"),
    Sharing.EXCLUSIVE: NotYet("exclusive"),
}


def mode_of(spec: PoolSpec) -> Mode:
    """Return the pool's way of sharing."""
    return MODES[spec.gpus.sharing]
