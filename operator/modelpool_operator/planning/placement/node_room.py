"""Whether one node, or each of several, has room for a pool beside what others hold there. Pure.

What the pool has on a node already is its own: nobody takes that from it. What it has on one node is no room for it on
another.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from modelpool_operator.api.pool import PoolSpec
from modelpool_operator.planning import sharing
from modelpool_operator.planning.memory import arithmetic
from modelpool_operator.planning.memory.arithmetic import Term, exact_gib
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.objects.identity import Manifest, model_of
from modelpool_operator.planning.observation.holdings import counter_of
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement import no_room, node_choice
from modelpool_operator.planning.placement.layout import place
from modelpool_operator.planning.placement.node_cards import NodeCards, Weighed, is_unshared
from modelpool_operator.planning.placement.occupants import OLLAMA, Occupant, standing, startable
from modelpool_operator.planning.placement.pool_nodes import leads_to
from modelpool_operator.planning.sharing.cards import Card
from modelpool_operator.planning.sharing.inventory import NodeView
from modelpool_operator.planning.sharing.shares import Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A node, beside others, for a pool."""

    spec: PoolSpec
    """How the pool shares its cards is settled."""
    seen: NodeCards
    mine: tuple[Occupant, ...] = ()
    """What the pool has there already."""

    @property
    def name(self) -> str:
        """The node's."""
        return self.seen.node.name

    def beside(self, card: Card) -> Card:
        """Return a card of the pool as it is on this node."""
        own = sum(one.bytes for one in self.mine if card.index in one.gpus)
        whole = sharing.mode_of(self.spec).whole_cards and own > 0
        held = _terms(self.seen.cards[card.index])
        return replace(card, held=held, mine=card.memory if whole else own, node=self.name)

    def fits(self, cards: Iterable[Card], placed: Placement) -> bool:
        """Return whether a plan that was made for another node has room here, on the very cards that it names."""
        reserve, whole = self.spec.gpus.reserve.bytes, sharing.mode_of(self.spec).whole_cards
        for card, planned in zip(cards, placed.cards, strict=True):
            taken = self.beside(card).taken(reserve) if planned.shares else 0
            if taken > 0 and (whole or taken + planned.planned + reserve > card.memory):
                return False
        return self.too_much(placed) is None

    def too_much(self, placed: Placement) -> Refusal | None:
        """Return why all that is held of the node's cards, and a plan, are more than these; None where they fit.

        Only asked where somebody else chooses among several cards. What the pool has here it may keep.
        """
        spec, seen = self.spec, self.seen
        counter = counter_of(spec)
        if counter is None or seen.count is None or seen.count == 1:
            return None
        memory = placed.cards[0].memory
        whole = sharing.mode_of(spec).whole_cards or is_unshared(seen.node, counter)
        need = [
            Term(label=share.model, bytes=len(share.gpus) * (memory if whole else share.bytes + share.overhead))
            for share in placed.shares
        ]
        if sharing.mode_of(spec).by_devices:
            used = sum(1 for card in placed.cards if card.shares)
            need = [Term(label=f"for {used} claim{'' if used == 1 else 's'}", bytes=used * memory)]
        held = [Term(label=one.hold.label, bytes=one.all) for one in seen.together]
        have, wanted, taken = seen.count * memory, arithmetic.total(need), arithmetic.total(held)
        if not taken or wanted + taken <= have:  # Alone it was placed as it is.
            return None
        message = (
            f"the {seen.count} cards of node {self.name} have {exact_gib(have)} together, of which others hold"
            f" {exact_gib(taken)} ({arithmetic.spelled(held)}); the pool takes {exact_gib(wanted)}"
            f" ({arithmetic.spelled(need)})"
        )
        return Refusal(reason=no_room.HELD, message=message, passing=True, need=(*need, *held), have=have)

    def grows(self, placed: Placement) -> bool:
        """Return whether a plan gives the pool more than it has here."""
        before = sum(len(one.gpus) * one.bytes for one in self.mine)
        return sum(len(share.gpus) * (share.bytes + share.overhead) for share in placed.shares) > before


def place_on(
    rooms: Sequence[Room], cards: tuple[Card, ...], settled: Mapping[str, tuple[int, ...]], alone: Placement
) -> Placement | Refusal:
    """Return where the pool goes on each of these nodes alike, with what is held of each card at the worst of them.

    Where nothing is, that is where it goes `alone`.
    """
    placed: Placement | Refusal = alone
    if any(held for one in rooms for held in one.seen.cards):
        placed = place(rooms[0].spec, tuple(_worst(card, rooms) for card in cards), settled)
    if isinstance(placed, Refusal):
        return placed
    over = [(one, found) for one in rooms if (found := one.too_much(placed)) is not None]
    growing = next((found for one, found in over if one.grows(placed)), None)
    return growing or replace(placed, beside=(*placed.beside, *(found.message for _, found in over)))


def own_on(spec: PoolSpec, node: NodeView, observed: Observed, alone: Placement, here: bool) -> Iterator[Occupant]:
    """Yield what the pool has on a node already: what its Deployments may start there, and what its pods hold without.

    What it has in another way of sharing may be on any card of this one. Where an Ollama on a card does not say how
    much of it is its own, it is what the plan gives to it.

    Args:
        spec: how the pool shares its cards is settled.
        node: which one.
        observed: what is there of the pool.
        alone: the plan as if nobody else were there.
        here: whether what has no pod counts as being there.
    """
    children = {ref: one for ref, one in observed.children.items() if here and leads_to(one, node)}
    counter = counter_of(spec)
    found = [one for one in startable(children) if one.counter == counter]
    there = {one.what for one in found}
    pods = (one for one in standing(observed.pods, children=observed.children) if one.node == node.name)
    yield from found
    yield from {(one.what, one.gpus): one for one in pods if one.counter == counter and one.what not in there}.values()
    share = alone.ollama
    if share is not None and OLLAMA not in there and any(map(_is_ollama_on_card, children.values())):
        yield Occupant(OLLAMA, share.gpus, share.bytes + share.overhead, counter)


def _is_ollama_on_card(child: Manifest) -> bool:
    return node_choice.is_on_card(child) and model_of(child) is None


def _worst(card: Card, rooms: Sequence[Room]) -> Card:
    reserve = rooms[0].spec.gpus.reserve.bytes
    found = max((one.beside(card) for one in rooms), key=lambda one: one.taken(reserve))
    return found if len(rooms) == 1 else replace(found, node=None)


def _terms(held: Iterable[Weighed]) -> tuple[Term, ...]:
    return tuple(Term(label=one.hold.label, bytes=one.bytes) for one in held if one.bytes > 0)
