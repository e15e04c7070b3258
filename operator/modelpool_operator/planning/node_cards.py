"""What others hold of the cards of one node, counted as a pool has to count it that shares cards in its own way. Pure.

A card whose index is known is counted card by card. Where a device plugin, HAMi or a DRA driver chooses, any card may
be the one: what its chooser does not count is then counted on every card, and what it does count, on the node as a
whole. On a node with one card all of it is counted on that one. So no card is promised twice, but for replicas of
time-sliced cards on a node with several: which card a replica is of, nobody but the device plugin knows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from modelpool_operator.api import names
from modelpool_operator.api.pool import PoolSpec
from modelpool_operator.api.quantity import count_in
from modelpool_operator.planning.holdings import CARD_RESOURCE, DRA, HAMI, Hold, counter_of
from modelpool_operator.planning.inventory import NodeView

_SHARING: Final = frozenset({"time-slicing", "mps"})
_ALONE: Final = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """A hold and what it counts for."""

    hold: Hold
    bytes: int
    """Of each card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCards:
    """The cards of one node beside others."""

    node: NodeView
    count: int | None
    """How many there are, if that is known."""
    cards: tuple[tuple[Weighed, ...], ...]
    """What is held of each of the pool's cards, or may be."""
    together: tuple[Weighed, ...]
    """What is held on the node."""
    covered: tuple[Hold, ...]
    """Of whom nobody knows how much they take, and for whom the pool keeps its reserve."""

    def __bool__(self) -> bool:
        return bool(self.together or self.covered)


def weigh(node: NodeView, holds: Iterable[Hold], spec: PoolSpec, cards: int, memory: int) -> NodeCards:
    """Return what others hold on a node.

    Args:
        node: the node.
        holds: of others, on this node.
        spec: how the pool shares its cards.
        cards: how many of them it has.
        memory: bytes of each.
    """
    mine, count = counter_of(spec), card_count(node, spec.gpus.resource_name)
    here = [hold for hold in holds if _concerns(hold, mine)]
    reserved = spec.gpus.reserve.bytes > 0
    covered = tuple(hold for hold in here if reserved and _is_open(hold, node))
    together = tuple(Weighed(hold=hold, bytes=_amount(hold, node, memory)) for hold in here if hold not in covered)
    if mine is None:
        each = tuple(tuple(one for one in together if _may_be_on(one.hold, index)) for index in range(cards))
    elif count == 1:
        each = (together,) * cards
    else:
        each = (_on_any(together, mine, node, count),) * cards
    return NodeCards(node=node, count=count, cards=each, together=together, covered=covered)


def card_count(node: NodeView, resource: str) -> int | None:
    """Return how many cards a node has: by its label, else by what its device plugin offers where that is cards."""
    if resource.startswith(names.MIG_RESOURCES):
        return node.resources.get(resource)
    told = count_in(node.labels.get(names.NODE_GPU_COUNT_LABEL))
    if told is not None:
        return told
    return node.resources.get(resource) if is_unshared(node) else None


def is_unshared(node: NodeView) -> bool:
    """Return whether a node says that its device plugin hands out whole cards."""
    return node.labels.get(names.NODE_GPU_SHARING_LABEL) == _ALONE and not node.has_hami


def is_shared(node: NodeView, resource: str) -> bool:
    """Return whether a resource of a node is known to be replicas of cards."""
    return resource.endswith(names.SHARED_SUFFIX) or node.labels.get(names.NODE_GPU_SHARING_LABEL) in _SHARING


def _may_be_on(hold: Hold, gpu: int) -> bool:
    return not hold.gpus or gpu in hold.gpus


def _concerns(hold: Hold, mine: str | None) -> bool:
    """Return whether a hold may be on the same memory; the hardware keeps parts of cards apart."""
    parts = [counter for counter in (hold.counter, mine) if counter and counter.startswith(names.MIG_RESOURCES)]
    return not parts or hold.counter == mine


def _on_any(together: Sequence[Weighed], mine: str, node: NodeView, count: int | None) -> tuple[Weighed, ...]:
    """Return what may be on whichever card is chosen: the worst of the known ones, and all that is chosen otherwise."""
    known: dict[int, list[Weighed]] = {}
    for one in together:
        for gpu in one.hold.gpus:
            known.setdefault(gpu, []).append(one)
    worst = max(known.values(), key=lambda here: sum(one.bytes for one in here), default=[])
    chosen = [one for one in together if not one.hold.gpus and not _is_counted_with(one.hold, mine, node, count)]
    return (*worst, *chosen)


def _is_counted_with(hold: Hold, mine: str, node: NodeView, count: int | None) -> bool:
    """Return whether who chooses the pool's cards has counted this too."""
    if mine == HAMI and hold.counter == CARD_RESOURCE and node.has_hami:
        return True
    if hold.counter != mine:
        return False
    return count is not None or mine in (HAMI, DRA) or not is_shared(node, mine)


def _is_open(hold: Hold, node: NodeView) -> bool:
    """Return whether nobody says how much is taken: a replica of a card limits nothing."""
    return hold.pool is None and hold.counter not in (None, HAMI, DRA) and is_shared(node, hold.counter or "")


def _amount(hold: Hold, node: NodeView, memory: int) -> int:
    """Return the bytes that count of each card: all of them where nobody says how many, or none are left to others."""
    plugin = hold.counter not in (None, HAMI, DRA)
    if hold.whole or (plugin and (hold.pool is None or is_unshared(node))):
        return memory
    if hold.bytes is not None:
        return min(hold.bytes, memory)
    return memory if hold.percent is None else min(memory, -(-memory * hold.percent // 100))
