"""Why an engine stands on its cards and not on others, in numbers that the plan holds."""

from collections.abc import Iterator, Sequence
from typing import Final

from modelpool_operator.api.pool import Filling
from modelpool_operator.planning.memory.arithmetic import exact_gib
from modelpool_operator.planning.sharing.shares import Choice, Placement, PlannedCard, Share

ONE_BY_ONE: Final = 2
"""Cards of which each is spoken of by itself; more of them are spoken of together."""


def why(share: Share, placed: Placement) -> str | None:
    """Return `on card 1: card 0 has 1.90Gi free, needs 8.90Gi`; None where there is nothing to choose from."""
    others = [card for card in placed.cards if card.index not in share.gpus]
    if len(placed.cards) == 1:
        return None
    if share.choice is Choice.PINNED:
        return f"on {_named(share.gpus)}: pinned by `gpu`"
    if share.choice is Choice.SETTLED:
        return f"on {_named(share.gpus)}: runs there already"
    if not others:
        return f"on {_named(share.gpus)}: as wide as there are cards"
    return f"on {_named(share.gpus)}: {', '.join(_reasons(share, others, placed))}"


def _reasons(share: Share, others: Sequence[PlannedCard], placed: Placement) -> Iterator[str]:
    need = share.bytes + share.overhead
    small = [card for card in others if card.free < need]
    roomy = [card for card in others if card.free >= need]
    if len(small) <= ONE_BY_ONE:
        yield from (f"card {card.index} has {exact_gib(card.free)} free" for card in small)
    else:
        most = max(card.free for card in small)
        yield f"{_named([card.index for card in small])} have at most {exact_gib(most)} free"
    if small:
        yield f"needs {exact_gib(need)}"
    if not roomy:
        return
    if placed.filling is Filling.PACK:
        yield f"{_named([card.index for card in roomy])} {_verb(roomy, 'is', 'are')} filled later"
        return
    least = min(card.planned + need for card in roomy)
    mine = max(placed.cards[gpu].planned for gpu in share.gpus)
    yield (
        f"{_named([card.index for card in roomy])} would hold {'' if len(roomy) == 1 else 'at least '}"
        f"{exact_gib(least)} with it, in place of {exact_gib(mine)} here"
    )


def _named(cards: Sequence[int]) -> str:
    """Return `card 1`, or `cards 0, 2 and 3`."""
    *first, last = (str(card) for card in cards)
    return f"cards {', '.join(first)} and {last}" if first else f"card {last}"


def _verb(cards: Sequence[PlannedCard], one: str, many: str) -> str:
    return one if len(cards) == 1 else many
