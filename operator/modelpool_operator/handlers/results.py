"""What a pass over a pool came to."""

from dataclasses import dataclass
from enum import Enum

from modelpool_operator.api.names import ObjectRef


class Outcome(Enum):
    """How a pass ended."""

    PLANNED = "planned"
    REFUSED = "refused"
    """The plan: the pool asks for what its cards cannot give."""
    INVALID = "invalid"
    """The pool says what cannot be, although the CRD let it in."""
    INCOMPLETE = "incomplete"
    """The API server refused a part of the plan."""
    GONE = "gone"
    LEAVING = "leaving"
    """The pool is being deleted, and somebody's finalizer holds it."""
    ELSEWHERE = "elsewhere"
    """An operator of its namespace serves it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a pass came to."""

    outcome: Outcome
    again: float | None = None
    """Seconds until the pool wants another look although nothing may happen until then; None: only when woken."""
    concerned: frozenset[ObjectRef] = frozenset()
    """Other pools to whom it makes a difference what this one claims, or holds."""
