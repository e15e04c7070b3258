"""The cards of a pool as numbers: how many, and how much memory each is counted with."""

from dataclasses import dataclass

from modelpool_operator.api.pool import PoolSpec
from modelpool_operator.planning.refusals import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One GPU of the pool's node."""

    index: int
    memory: int
    """Bytes, as declared in the pool or labelled on the node. Programs see a little less: a "24 GiB" card has 23.65."""


def cards_of(spec: PoolSpec, node_memory: int | None) -> tuple[Card, ...] | Refusal:
    """Return the pool's cards.

    Args:
        spec: what the user wants; `gpus.memory` wins over what the node says.
        node_memory: bytes of one card as the node's labels tell, or None.
    """
    memory = spec.gpus.memory.bytes if spec.gpus.memory is not None else node_memory
    if memory is None:
        return Refusal(
            reason="CardMemoryUnknown",
            message="`gpus.memory` is required: no node of the pool carries the label nvidia.com/gpu.memory",
        )
    if spec.gpus.count < 1 or memory <= 0:
        return Refusal(
            reason="NoCards",
            message=f"`gpus.count` and `gpus.memory` must be more than 0, got {spec.gpus.count} and {memory} bytes",
        )
    return tuple(Card(index=index, memory=memory) for index in range(spec.gpus.count))
