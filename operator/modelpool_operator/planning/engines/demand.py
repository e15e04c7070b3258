"""What an engine wants of a card, before it has one: a value, and how a share becomes what it takes of it."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from modelpool_operator.api.models import Engine
from modelpool_operator.api.pool import PoolSpec
from modelpool_operator.planning import sharing
from modelpool_operator.planning.memory import overhead
from modelpool_operator.planning.memory.arithmetic import Term
from modelpool_operator.planning.sharing.mode import Portion


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """An engine that has no card yet."""

    name: str
    engine: Engine
    of_pool: bool = False
    """Whether it is the one server of several models: it takes its share when it is asked, and moves before others."""
    bytes: int
    overhead: int
    """Bytes of each card beside the share."""
    fraction: float
    width: int = 1
    first_card: int | None = None
    lines: tuple[Term, ...] = ()
    notes: tuple[str, ...] = ()
    longest_context: int | None = None


def portion_of(spec: PoolSpec, wanted: int, memory: int, width: int) -> Portion:
    """Return what an engine takes of a card, as the pool's way of sharing has it.

    Args:
        spec: the pool's.
        wanted: bytes that the user gives it.
        memory: bytes of the card.
        width: cards of the engine.
    """
    context = overhead.context_bytes(memory, width)
    return sharing.mode_of(spec).portion(wanted, memory=memory, reserve=spec.gpus.reserve.bytes, context=context)


def fraction_of(share: int, memory: int) -> float:
    """Return four decimals, downwards: never more than what was asked for."""
    return float((Decimal(share) / memory).quantize(Decimal("0.0001"), rounding=ROUND_DOWN))
