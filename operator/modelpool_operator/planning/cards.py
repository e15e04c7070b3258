"""The cards of a pool as numbers: how many, and how much memory each is counted with."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from modelpool_operator.api.pool import PoolSpec
from modelpool_operator.planning.arithmetic import exact_gib
from modelpool_operator.planning.refusals import Refusal

TOLERANCE: Final = 0.02
"""Share by which a card may differ from what is declared: a "24 GiB" card has 23.99, an "80 GiB" one 79.65."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One GPU of the pool's node."""

    index: int
    memory: int
    """Bytes, as declared in the pool or labelled on the node. Programs see a little less: a "24 GiB" card has 23.65."""


def found_otherwise(spec: PoolSpec, nodes: Iterable[tuple[str, int | None]]) -> tuple[str, ...]:
    """Return a sentence for each node whose cards are not as large as the pool says, beyond what rounding explains.

    Args:
        spec: what the user wants; a pool that declares nothing cannot be contradicted.
        nodes: names of nodes on which the pool runs, with the bytes of one of their cards, or None where nobody knows.
    """
    said = spec.gpus.memory
    if said is None:
        return ()
    return tuple(
        f"`gpus.memory` says {exact_gib(said.bytes)}, but a card of node {name} has {exact_gib(found)}"
        for name, found in nodes
        if found is not None and abs(found - said.bytes) > said.bytes * TOLERANCE
    )


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
