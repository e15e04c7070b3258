"""Where a pool goes beside what others hold of the same cards, and who that is. Pure.

A pool that stands is counted on its node. One that does not may be put on any node that fits it: it is planned as long
as one of them has room, as many as it has replicas, and told of those that have not. Until it stands it is counted on
the first that has, so that pools which fit the same nodes are not all planned onto one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from modelpool_operator.api.pool import ModelPool, Others, PoolSpec
from modelpool_operator.planning import sharing
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.observation.holdings import Hold, Neighbours
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement import neighbour_notes
from modelpool_operator.planning.placement.layout import place
from modelpool_operator.planning.placement.neighbour_notes import TOLD
from modelpool_operator.planning.placement.node_cards import weigh
from modelpool_operator.planning.placement.node_room import Room, own_on, place_on
from modelpool_operator.planning.placement.occupants import startable
from modelpool_operator.planning.placement.pool_nodes import nodes_of, standing_on
from modelpool_operator.planning.sharing.cards import Card
from modelpool_operator.planning.sharing.inventory import NodeView
from modelpool_operator.planning.sharing.shares import Placement


class _Answer(NamedTuple):
    """A node, and where the pool would go on it."""

    room: Room
    placed: Placement

    @property
    def is_free(self) -> bool:
        """Whether all of it has room, and not only the pool's own."""
        return all(card.free >= 0 for card in self.placed.cards) and self.room.too_much(self.placed) is None


def place_beside(
    pool: ModelPool, cards: tuple[Card, ...], settled: Mapping[str, tuple[int, ...]], observed: Observed
) -> Placement | Refusal:
    """Return where the pool goes beside others, or who holds what it would need.

    Args:
        pool: how it shares its cards is settled.
        cards: what there is, as if nobody else were there.
        settled: cards on which its models run.
        observed: what is there of the pool, and of others.
    """
    spec, others, nodes = pool.spec, observed.neighbours, nodes_of(pool, observed)
    alone = place(spec, cards, settled)
    if isinstance(alone, Refusal) or not nodes:
        return alone
    stands = standing_on(observed)
    known = stands.union(others.homes)

    def room(node: NodeView, holds: Iterable[Hold], *, here: bool) -> Room:
        seen = weigh(node, holds, spec, len(cards), cards[0].memory)
        return Room(spec=spec, seen=seen, mine=tuple(own_on(spec, node, observed, alone, here)) if seen else ())

    looks = spec.gpus.others is not Others.IGNORE
    held = {node.name: others.holds.get(node.name, ()) if looks else () for node in nodes}
    rooms = [room(node, held[node.name], here=node.name in known) for node in nodes]
    answers = [(one, place_on([one], cards, settled, alone)) for one in rooms]
    full = [_explained(spec, one, answer) for one, answer in answers if isinstance(answer, Refusal)]
    roomy = [_Answer(one, answer) for one, answer in answers if isinstance(answer, Placement)]
    needed = min(_nodes_needed(spec), len(rooms))
    if len(roomy) < needed and not known:  # Where it was nobody knows: on so many of them what it has may be its own.
        copies = max((one.copies for one in startable(observed.children)), default=0)
        again = [room(one.seen.node, held[one.name], here=True) for one, found in answers if isinstance(found, Refusal)]
        own = [(one, place_on([one], cards, settled, alone)) for one in again]
        excused = [_Answer(one, found) for one, found in own if isinstance(found, Placement)]
        roomy += excused[: min(copies, needed - len(roomy))]
    if len(roomy) < needed or any(one.name in stands for one, answer in answers if isinstance(answer, Refusal)):
        return _nowhere(full, needed, len(roomy))
    common = _common(roomy, cards, settled, alone, stands, needed)
    if isinstance(common, Refusal):
        return common
    placed, fitting = common
    said = list(placed.beside)
    if len(rooms) == 1 or stands:
        told = [one.room.seen for one in fitting if len(rooms) == 1 or one.room.name in stands]
        said += [note for seen in told for note in neighbour_notes.on_neighbours(pool, seen, others)]
    apart = [one.room.name for one in roomy if one not in fitting]
    said += [*neighbour_notes.on_full_nodes(full), *neighbour_notes.on_other_cards(apart)]
    if looks and not stands and others.coming:
        holds = ((one, [hold for hold in others.coming if one.room.name in hold.may_be_on]) for one in fitting)
        meeting = [
            (one.room.name, coming)
            for one, coming in holds
            if coming and not room(one.room.seen.node, (*held[one.room.name], *coming), here=False).fits(cards, placed)
        ]
        said += neighbour_notes.on_who_may_come(meeting)
    return replace(placed, beside=tuple(dict.fromkeys(said)), nodes=_homes(fitting, stands, others, needed))


def _explained(spec: PoolSpec, room: Room, refusal: Refusal) -> Refusal:
    why = neighbour_notes.on_unsaid_cards(spec, room.seen)
    return replace(refusal, message=f"{refusal.message}; {why}") if why else refusal


def _nodes_needed(spec: PoolSpec) -> int:
    """Return on how many nodes a pool's replicas stand; one, where a node may have several."""
    if sharing.mode_of(spec).whole_cards:
        return 1
    return max((1, *(model.most_replicas for model in spec.models)))


def _common(
    roomy: Sequence[_Answer],
    cards: tuple[Card, ...],
    settled: Mapping[str, tuple[int, ...]],
    alone: Placement,
    stands: frozenset[str],
    needed: int,
) -> tuple[Placement, list[_Answer]] | Refusal:
    """Return a plan for several nodes, which is one as nobody knows who comes where, and those on which it has room.

    Where no plan has room on all of them, the one that has it where the pool stands, and on most others.
    """
    placed = place_on([one.room for one in roomy], cards, settled, alone)
    if isinstance(placed, Placement):
        return placed, list(roomy)
    layouts: dict[tuple[tuple[int, ...], ...], Placement] = {}
    for one in roomy:
        layouts.setdefault(tuple(share.gpus for share in one.placed.shares), one.placed)
    tried = [(one, [other for other in roomy if other.room.fits(cards, one)]) for one in layouts.values()]
    best = max(tried, key=lambda found: (sum(one.room.name in stands for one in found[1]), len(found[1])))
    stuck = any(one.room.name in stands and one not in best[1] for one in roomy)
    return placed if stuck or len(best[1]) < needed else best


def _homes(fitting: Sequence[_Answer], stands: frozenset[str], others: Neighbours, needed: int) -> tuple[str, ...]:
    """Return the nodes on which the pool is counted: where it stands; then where there is room, and where it was.

    What only its plan counts on leaves a node to who can be nowhere else.
    """

    def rank(one: _Answer) -> tuple[bool, bool, bool]:
        name = one.room.name
        return not one.is_free, name in others.wanted, name not in others.homes

    here = [one.room.name for one in fitting if one.room.name in stands]
    free = [one.room.name for one in sorted(fitting, key=rank) if one.room.name not in stands]
    return (*here, *free[: max(0, needed - len(here))])


def _nowhere(full: Sequence[Refusal], needed: int, have: int) -> Refusal:
    """Return the refusal of a pool for which no node has room, or fewer than its replicas need."""
    if len(full) == 1 and needed == 1:
        return full[0]
    more = f"; and {len(full) - TOLD} nodes more" if len(full) > TOLD else ""
    who = "no node has room" if needed == 1 else f"its replicas need {needed} nodes with room, and there are {have}"
    message = f"{who}: {'; '.join(one.message for one in full[:TOLD])}{more}"
    return replace(full[0], message=message)
