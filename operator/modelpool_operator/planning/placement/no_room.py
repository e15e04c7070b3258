"""Why a pool finds no room on its cards, with the sum that shows it where a sum does."""

from collections.abc import Sequence
from typing import Final

from modelpool_operator.api.pool import PoolSpec
from modelpool_operator.planning import sharing
from modelpool_operator.planning.engines.demand import Demand
from modelpool_operator.planning.memory import arithmetic
from modelpool_operator.planning.memory.arithmetic import exact_gib
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.placement.demands import terms_of
from modelpool_operator.planning.sharing.cards import Card
from modelpool_operator.planning.sharing.mode import Mode

HELD: Final = "CardHeld"
"""The reason of a refusal that others bring about."""


def overfull(
    demands: Sequence[Demand], pinned: Sequence[tuple[int, ...] | None], cards: Sequence[Card], reserve: int, mode: Mode
) -> Refusal | None:
    """Return the first card on which the pins alone are too much."""
    for card in cards:
        here = [one for one, pins in zip(demands, pinned, strict=True) if card.index in (pins or ())]
        terms = terms_of(here, reserve, mode)
        if arithmetic.total(terms) > card.memory:
            sums = f"{exact_gib(arithmetic.total(terms))} ({arithmetic.spelled(terms)})"
            message = f"card {card.index} has {exact_gib(card.memory)}, but what is pinned to it takes {sums}"
            return Refusal(reason="CardOverfull", message=message, need=terms, have=card.memory)
    return None


def nowhere(demands: Sequence[Demand], cards: Sequence[Card], reserve: int, mode: Mode, *, proven: bool) -> Refusal:
    """Return the refusal of a pool that fits no way, with the sum that shows it where a sum does."""
    spread = [one for one in demands for _ in range(one.width)]
    terms = terms_of(spread, reserve * len(cards), mode)
    have, need = sum(card.memory for card in cards), arithmetic.total(terms)
    sums = f"{exact_gib(need)} ({arithmetic.spelled(terms)})"
    if len(cards) == 1:
        message = f"the card has {exact_gib(have)}, but the pool takes {sums}"
        return Refusal(reason="CardOverfull", message=message, need=terms, have=have)
    if need > have:
        message = f"the {len(cards)} cards have {exact_gib(have)} together, but the pool takes {sums}"
        return Refusal(reason="CardsOverfull", message=message, need=terms, have=have)
    each = exact_gib(cards[0].memory)
    if proven:
        message = f"no way to spread {sums} over {len(cards)} cards of {each} leaves every card within its memory"
        return Refusal(reason="NoPlacement", message=message, need=terms, have=have)
    message = f"found no way to spread {sums} over {len(cards)} cards of {each}; free some memory, or pin with `gpu`"
    return Refusal(reason="NoPlacementFound", message=message, need=terms, have=have)


def beside_others(demands: Sequence[Demand], cards: Sequence[Card], spec: PoolSpec) -> Refusal:
    """Return the refusal of a pool that would fit, did not others hold what they do: who, and how much."""
    terms = terms_of(
        [one for one in demands for _ in range(one.width)], spec.gpus.reserve.bytes * len(cards), sharing.mode_of(spec)
    )
    held = tuple(term for card in cards for term in card.held)
    holders = "; ".join(
        f"{card.named} has {exact_gib(card.memory)}, of which others hold"
        f" {exact_gib(arithmetic.total(card.held))} ({arithmetic.spelled(card.held)})"
        for card in cards
        if card.held
    )
    message = f"{holders}; the pool takes {exact_gib(arithmetic.total(terms))} ({arithmetic.spelled(terms)})"
    have = sum(card.memory for card in cards)
    return Refusal(reason=HELD, message=message, passing=True, need=(*terms, *held), have=have)
