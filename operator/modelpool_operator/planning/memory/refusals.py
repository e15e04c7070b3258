"""Why a pool cannot be planned. A refusal is a value, not an exception: it is shown, and touches nothing that runs."""

from dataclasses import dataclass, field

from modelpool_operator.planning.memory.arithmetic import Term


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A plan that cannot be made."""

    reason: str
    """PascalCase, stable: the reason of the condition `Planned`."""
    message: str
    """A sentence for the user, with the numbers that led here."""
    passing: bool = field(default=False, compare=False)
    """Whether it may pass without a change of the pool, as the cluster has not shown what it has."""
    need: tuple[Term, ...] = field(default=(), compare=False)
    """The summands of what is wanted, where a sum led here."""
    have: int | None = field(default=None, compare=False)
    """Bytes that there are for them."""
