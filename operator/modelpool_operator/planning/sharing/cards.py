"""The cards of a pool as numbers: how many, and how much memory each is counted with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from modelpool_operator.api import names
from modelpool_operator.api.pool import PoolSpec
from modelpool_operator.planning.memory.arithmetic import Term, exact_gib
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.sharing.inventory import slice_memory_label

TOLERANCE: Final = 0.02
"""Share by which a card may differ from what is declared: a "24 GiB" card has 23.99, an "80 GiB" one 79.65."""
SHOWN: Final = 4
"""Kinds of cards that a message tells of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One GPU of the pool's node."""

    index: int
    memory: int
    """Bytes, as the pool, the node's label or driver says. Programs see a little less: a "24 GiB" card has 23.65."""
    held: tuple[Term, ...] = ()
    """What others hold of it."""
    mine: int = 0
    """Bytes that engines of the pool hold of it already: nobody takes these from them."""
    node: str | None = None
    """Where it is, if that is known."""

    @property
    def named(self) -> str:
        """`card 0 of node gpu-1`, or `card 0`."""
        return f"card {self.index} of node {self.node}" if self.node else f"card {self.index}"

    def taken(self, reserve: int) -> int:
        """Return the bytes that the pool cannot have because of others: all of theirs, but what the pool has itself."""
        return min(sum(term.bytes for term in self.held), max(0, self.memory - reserve - self.mine))


def found_otherwise(spec: PoolSpec, nodes: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
    """Return a sentence for each node whose cards are not as large as the pool says, beyond what rounding explains.

    Args:
        spec: what the user wants; a pool that declares nothing cannot be contradicted.
        nodes: those on which the pool runs, with the bytes of their cards, the least first, where these are known.
    """
    said = spec.gpus.memory
    if said is None:
        return ()
    return tuple(
        f"`gpus.memory` says {exact_gib(said.bytes)}, but a card of node {name} has {exact_gib(found)}"
        for name, (found, *_) in sorted(nodes.items())
        if abs(found - said.bytes) > said.bytes * TOLERANCE
    )


def differing(nodes: Mapping[str, tuple[int, ...]]) -> str:
    """Return nodes with their cards' memory, where these differ beyond what rounding explains; empty where not.

    Of nodes with the same cards, the first stands for all.
    """
    kinds: dict[tuple[int, ...], str] = {}
    for name, sizes in sorted(nodes.items()):
        kinds.setdefault(sizes, name)
    found = [size for sizes in kinds for size in sizes]
    if not found or max(found) - min(found) <= min(found) * TOLERANCE:
        return ""
    described = [f"{name} {' and '.join(exact_gib(one) for one in sizes)}" for sizes, name in sorted(kinds.items())]
    more = len(described) - SHOWN
    return f"{', '.join(described[:SHOWN])}{f' and {more} more kinds' if more > 0 else ''}"


def objection_to_amounts(spec: PoolSpec, nodes: Mapping[str, tuple[int, ...]]) -> Refusal | None:
    """Refuse an amount of a card where the pool may come to cards of different memory.

    An engine is told a fraction, which is another amount on another card, and pods are made before their node is known.

    Args:
        spec: what the user wants; one who says `gpus.memory` has said which cards are meant.
        nodes: those that the pool may be on, with the bytes of their cards.
    """
    field = next(_amounts(spec), None)
    kinds = differing(nodes) if field is not None and spec.gpus.memory is None else ""
    if not kinds:
        return None
    message = (
        f"{field} is an amount, and the pool's nodes have cards of different memory ({kinds}), of which it is a"
        " different fraction: say which nodes in `nodeSelector` or a required `affinity.nodeAffinity`, or use"
        " `gpuMemoryFraction`"
    )
    return Refusal(reason="CardsDiffer", message=message, passing=True)


def _amounts(spec: PoolSpec) -> Iterator[str]:
    """Yield what is said as an amount, in words."""
    for model in spec.models:
        if model.gpu_memory is not None:
            yield f"`gpuMemory` {model.gpu_memory} of {model.name}"
    if spec.ollama.enabled and spec.ollama.gpu_memory.bytes > 0:
        yield f"`ollama.gpuMemory` {spec.ollama.gpu_memory}"


def cards_of(spec: PoolSpec, node_memory: int | None) -> tuple[Card, ...] | Refusal:
    """Return the pool's cards.

    Args:
        spec: what the user wants; `gpus.memory` wins over what the node says.
        node_memory: bytes of one card as the node's labels or its driver tell, or None.
    """
    memory = spec.gpus.memory.bytes if spec.gpus.memory is not None else node_memory
    if memory is None:
        label = slice_memory_label(spec.gpus.resource_name)
        slices = f" or has a ResourceSlice of {names.DRA_DRIVER} with its cards' memory" if label is None else ""
        return Refusal(
            reason="CardMemoryUnknown",
            message=(
                f"`gpus.memory` is required: no node of the pool carries the label"
                f" {label or names.NODE_GPU_MEMORY_LABEL}{slices and ','}{slices}"
            ),
            passing=True,
        )
    if spec.gpus.count < 1 or memory <= 0:
        return Refusal(
            reason="NoCards",
            message=f"`gpus.count` and `gpus.memory` must be more than 0, got {spec.gpus.count} and {memory} bytes",
        )
    return tuple(Card(index=index, memory=memory) for index in range(spec.gpus.count))
