"""Cards by index, through the container runtime: exact, and known to the operator alone."""

from collections.abc import Mapping
from typing import Final

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool, PoolSpec, Sharing
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.objects.free_forms import REQUIRED
from modelpool_operator.planning.sharing.mode import Access, CardUse, Mode

DEFAULT_RUNTIME_CLASS: Final = "nvidia"


class VisibleDevices(Mode):
    """The runtime shows a pod its cards; the scheduler is asked for nothing, so the pool must say which nodes."""

    way = Sharing.VISIBLE_DEVICES
    shows_cards = True

    def counter(self, spec: PoolSpec) -> str | None:
        """Nobody: the operator alone knows of it."""
        return None

    def objection(self, spec: PoolSpec) -> Refusal | None:
        """Refuse a pool that may land on any node: the scheduler would not know where cards are, or how many."""
        required = ((spec.affinity or {}).get("nodeAffinity") or {}).get(REQUIRED) or {}
        if spec.node_selector or required.get("nodeSelectorTerms"):
            return None
        message = (
            "`nodeSelector` or `affinity.nodeAffinity` is required with sharing 'visibleDevices': the scheduler does"
            " not count these cards, so the pool must name the node that has them; what is only preferred names none"
        )
        return Refusal(reason="NodeNotPinned", message=message)

    def of_node(self, gpus: frozenset[int]) -> Mapping[str, int]:
        """Return as many cards as make the last one there."""
        return {names.NODE_GPU_COUNT_LABEL: max(gpus, default=-1) + 1}

    def access(self, pool: ModelPool, use: CardUse) -> Access:
        """Show the cards, in bus order so that an index means the same to the runtime and to CUDA."""
        return Access(
            env={"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "NVIDIA_VISIBLE_DEVICES": ",".join(str(gpu) for gpu in use.gpus)},
            runtime_class_name=pool.spec.gpus.runtime_class_name or DEFAULT_RUNTIME_CLASS,
        )


MODES: Final[tuple[Mode, ...]] = (VisibleDevices(),)
