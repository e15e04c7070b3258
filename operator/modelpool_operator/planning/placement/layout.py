"""Which model on which card, with how many bytes, in which start order; or why not.

The rule per card: Σ over its processes of (share + overhead) + reserve ≤ memory. What the overhead is, the way of
sharing says: the CUDA context, and under some modes more.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from modelpool_operator.api.pool import Filling, PoolSpec
from modelpool_operator.planning import sharing
from modelpool_operator.planning.engines.demand import Demand
from modelpool_operator.planning.memory import arithmetic
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.placement import no_room, packing
from modelpool_operator.planning.placement.demands import demands_of, objection_to
from modelpool_operator.planning.sharing.cards import Card
from modelpool_operator.planning.sharing.shares import Choice, Placement, PlannedCard, Share

OLLAMA_CARDS: Final = ""
"""Under what Ollama's card stands among those of models: no model has this name."""


def place(
    spec: PoolSpec, cards: tuple[Card, ...], settled: Mapping[str, tuple[int, ...]] | None = None
) -> Placement | Refusal:
    """Return where every engine of the pool goes, or why that is impossible.

    Args:
        spec: what the user wants.
        cards: what there is, all of the same memory; with what others hold of it, where the pool fits alone.
        settled: cards on which models already run, and Ollama under `OLLAMA_CARDS`; they stay there if everything still
            fits. Where it does not, Ollama moves first, which restarts no engine.
    """
    memory, reserve, mode = cards[0].memory, spec.gpus.reserve.bytes, sharing.mode_of(spec)
    demands = demands_of(spec, memory)
    objection = next((found for one in demands if (found := objection_to(one, len(cards), memory))), None)
    if objection is not None:
        return objection
    bins = [packing.Bin(memory=card.memory, capacity=max(0, card.memory - reserve)) for card in cards]
    pinned = [_pins(one) for one in demands]
    if overfull := no_room.overfull(demands, pinned, cards, reserve, mode):
        return overfull
    taken = [packing.Item(size=others, pinned=(card.index,)) for card in cards if (others := card.taken(reserve)) > 0]
    kept = [pins or _kept(one, len(cards), settled or {}) for one, pins in zip(demands, pinned, strict=True)]
    engines = [None if one.of_pool else gpus for one, gpus in zip(demands, kept, strict=True)]
    least = bins[0].capacity if mode.whole_cards else 0
    search = packing.pack if spec.gpus.placement is Filling.PACK else packing.spread
    packed, held = search([*_items(demands, kept, least), *taken], bins), kept
    for fewer in (engines, pinned):
        if packed.cards is None and fewer != held:
            packed, held = search([*_items(demands, fewer, least), *taken], bins), fewer
    if packed.cards is None and taken:
        return no_room.beside_others(demands, cards, spec)
    if packed.cards is None:
        return no_room.nowhere(demands, cards, reserve, mode, proven=packed.proven)
    choices = [
        Choice.PINNED if mine is not None else Choice.SETTLED if stays is not None else Choice.FREE
        for mine, stays in zip(pinned, held, strict=True)
    ]
    return _placement(demands, packed.cards, choices, cards, spec)


def _items(demands: Sequence[Demand], pins: Sequence[tuple[int, ...] | None], least: int) -> list[packing.Item]:
    """Return what the search packs: shares with what comes on top, each of them at least so large."""
    return [
        packing.Item(size=max(least, one.bytes + one.overhead), width=one.width, pinned=pinned)
        for one, pinned in zip(demands, pins, strict=True)
    ]


def _pins(one: Demand) -> tuple[int, ...] | None:
    """Return the cards the user pinned a model to: the one named and as many after it as the model is wide."""
    return None if one.first_card is None else tuple(range(one.first_card, one.first_card + one.width))


def _kept(one: Demand, count: int, settled: Mapping[str, tuple[int, ...]]) -> tuple[int, ...] | None:
    """Return the cards an engine has now, unless it has become wider or the pool has lost a card."""
    cards = settled.get(OLLAMA_CARDS if one.of_pool else one.name, ())
    usable = len(cards) == one.width and all(0 <= card < count for card in cards)
    return tuple(sorted(cards)) if usable else None


def _placement(
    demands: Sequence[Demand],
    where: Sequence[tuple[int, ...]],
    choices: Sequence[Choice],
    cards: Sequence[Card],
    spec: PoolSpec,
) -> Placement:
    """Return the answer: shares in start order, then the cards they stand on.

    Largest first: should a card hold less than declared, the engine that finds no room is the smallest. Ollama is last,
    as it takes its share only when it is asked for a model.
    """
    order = sorted(range(len(demands)), key=lambda place: (demands[place].of_pool, -demands[place].bytes, place))
    shares: list[Share] = []
    for place in order:
        one, gpus = demands[place], where[place]
        shares.append(
            Share(
                model=one.name,
                engine=one.engine,
                of_pool=one.of_pool,
                gpus=gpus,
                bytes=one.bytes,
                fraction=one.fraction,
                overhead=one.overhead,
                memory=cards[0].memory,
                start=max((earlier.start + 1 for earlier in shares if set(earlier.gpus) & set(gpus)), default=0),
                lines=one.lines,
                notes=one.notes,
                longest_context=one.longest_context,
                choice=choices[place],
            )
        )
    planned, reserve = [], spec.gpus.reserve.bytes
    for card in cards:
        here = tuple(share for share in shares if card.index in share.gpus)
        taken = sum(share.bytes + share.overhead for share in here)
        planned.append(
            PlannedCard(
                index=card.index,
                memory=card.memory,
                reserve=reserve,
                planned=taken,
                free=card.memory - reserve - taken - arithmetic.total(card.held),
                shares=here,
                held=card.held,
                node=card.node,
            )
        )
    return Placement(cards=tuple(planned), shares=tuple(shares), filling=spec.gpus.placement, sharing=spec.gpus.sharing)
