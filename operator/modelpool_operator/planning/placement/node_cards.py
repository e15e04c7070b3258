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
from modelpool_operator.planning.observation.holdings import CARD_RESOURCE, DRA, HAMI, Hold, counter_of
from modelpool_operator.planning.sharing import mode_if_chosen
from modelpool_operator.planning.sharing.cards import TOLERANCE
from modelpool_operator.planning.sharing.inventory import NodeView

_SHARING: Final = frozenset({"time-slicing", "mps"})
_MOST_CARDS: Final = 4096
"""No node has more; a label that says so is not believed."""
_ALONE: Final = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """A hold and what it counts for."""

    hold: Hold
    bytes: int
    """Of each card that it may be on, with all of its copies."""
    all: int
    """Of all its cards together."""


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
    together = tuple(_weighed(hold, node, mine, memory) for hold in here if hold not in covered)
    if mine is None:
        each = tuple(tuple(one for one in together if _may_be_on(one.hold, index)) for index in range(cards))
    elif count == 1:
        each = (together,) * cards
    else:
        each = (_on_any(together, spec, node, count),) * cards
    return NodeCards(node=node, count=count, cards=each, together=together, covered=covered)


def card_count(node: NodeView, resource: str) -> int | None:
    """Return how many cards, or slices, a node has: by its label, else by what its plugin offers where none is shared.

    None where what the plugin offers may be replicas.
    """
    count = count_in(node.labels.get(_label(resource, "count", names.NODE_GPU_COUNT_LABEL)))
    if count is None and is_unshared(node, resource):
        count = node.resources.get(resource)
    return count if count is None or count <= _MOST_CARDS else None


def is_unshared(node: NodeView, resource: str) -> bool:
    """Return whether a node says that its device plugin hands out whole cards, or slices."""
    return not resource.endswith(names.SHARED_SUFFIX) and _strategy(node, resource) == _ALONE and not node.has_hami


def is_shared(node: NodeView, resource: str) -> bool:
    """Return whether a resource of a node is known to be replicas of cards."""
    return resource.endswith(names.SHARED_SUFFIX) or _strategy(node, resource) in _SHARING


def _strategy(node: NodeView, resource: str) -> str:
    """Return how a resource is shared; of slices a label of their own tells, where there is one."""
    common = node.labels.get(names.NODE_GPU_SHARING_LABEL, "")
    return node.labels.get(_label(resource, "sharing-strategy", names.NODE_GPU_SHARING_LABEL), common)


def _label(resource: str, what: str, of_cards: str) -> str:
    """Return the label that tells of a resource: where slices are shared, it has a suffix, and its labels have not."""
    own = resource.startswith(names.MIG_RESOURCES)
    return f"{resource.removesuffix(names.SHARED_SUFFIX)}.{what}" if own else of_cards


def _may_be_on(hold: Hold, gpu: int) -> bool:
    return not hold.gpus or gpu in hold.gpus


def _concerns(hold: Hold, mine: str | None) -> bool:
    """Return whether a hold may be on the same memory; the hardware keeps parts of cards apart."""
    parts = [counter for counter in (hold.counter, mine) if counter and counter.startswith(names.MIG_RESOURCES)]
    return not parts or hold.counter == mine


def _on_any(together: Sequence[Weighed], spec: PoolSpec, node: NodeView, count: int | None) -> tuple[Weighed, ...]:
    """Return what may be on whichever card is chosen: the worst of the known ones, and all that is chosen otherwise.

    Who chooses parts of cards keeps those apart that it counts, and knows nothing of one that others are shown.
    """
    known: dict[int, list[Weighed]] = {}
    for one in together:
        for gpu in one.hold.gpus:
            known.setdefault(gpu, []).append(one)
    worst = max(known.values(), key=lambda here: sum(one.bytes for one in here), default=[])
    meets = bool(known) and mode_if_chosen(spec.gpus.sharing).in_parts
    others = (one for one in together if not one.hold.gpus)
    chosen = [one for one in others if meets or not _is_counted_with(one.hold, spec, node, count)]
    return (*worst, *chosen)


def _is_counted_with(hold: Hold, spec: PoolSpec, node: NodeView, count: int | None) -> bool:
    """Return whether who chooses the pool's cards has counted this too.

    On a node that does not say how many cards it has, what is offered may be replicas of one. Another pool's replica
    may then be of the same card; a stranger's is taken for a card, as what nobody shares is.
    """
    mine = counter_of(spec)
    if mine == HAMI and hold.counter == CARD_RESOURCE and node.has_hami:
        return True
    if hold.counter != mine or mine is None:
        return False
    if count is not None or mine in (HAMI, DRA):
        return True
    return not is_shared(node, mine) and (hold.pool is None or mode_if_chosen(spec.gpus.sharing).whole_cards)


def _is_open(hold: Hold, node: NodeView) -> bool:
    """Return whether nobody says how much is taken: a replica of a card limits nothing."""
    return hold.pool is None and hold.counter not in (None, HAMI, DRA) and is_shared(node, hold.counter or "")


def _weighed(hold: Hold, node: NodeView, mine: str | None, memory: int) -> Weighed:
    """Return a hold with what counts of each card: all of it where nobody says how much, or none is left to others.

    A pool counts cards as it was told of them. Where a node's are others, the part that is held of one is what counts.
    """
    each, counter = memory, hold.counter
    plugin = counter is not None and counter not in (HAMI, DRA)
    if not hold.whole and not (plugin and (hold.pool is None or is_unshared(node, counter or ""))):
        size = node.memory_of(mine) or memory
        taken = hold.of_card(size)
        alike = abs(size - memory) <= memory * TOLERANCE
        each = min(memory, hold.of_card(memory) if alike else -(-taken * memory // size))
    return Weighed(hold=hold, bytes=min(memory, each * hold.copies), all=each * hold.width * hold.copies)
