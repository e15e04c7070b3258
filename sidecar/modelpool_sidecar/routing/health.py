"""What the outcomes of requests say about the engine that they were sent to. Pure: outcomes in, a verdict out.

A request that breaks may have broken the engine, or only its own connection: nobody knows before the engine is asked.
So one break makes a suspect, which is asked at once and serves on meanwhile, and only several in a row make it dead
without being asked. A port at which nobody listens needs no second opinion.
"""

from enum import Enum
from typing import Final, NamedTuple

IN_A_ROW: Final = 5
"""Requests that break one after the other, none answered in between, until an engine counts as dead unasked."""
ROW_SECONDS: Final = 10.0
"""Breaks that lie further apart than this are no row."""


class Outcome(Enum):
    """What became of one request at an engine."""

    ANSWERED = "answered"
    """Something came back that ended as it should, be it an error's status."""
    COMPLAINED = "complained"
    """The engine lives, and says that something is wrong with it."""
    BROKE = "broke"
    """The connection ended, or stayed silent, after the request was sent; or none came about, and nobody said why."""
    REFUSED = "refused"
    """Nobody listens there."""


class Verdict(Enum):
    """What is to be done about the engine."""

    FINE = "fine"
    SUSPECT = "suspect"
    """Ask it at once; until it has answered it goes on taking requests."""
    DEAD = "dead"
    """It takes no requests until it has answered."""


class Row(NamedTuple):
    """Breaks without an answer in between."""

    length: int = 0
    last: float = 0.0
    """When the last one was, in seconds."""


NO_BREAK: Final = Row()


def judged(before: Row, outcome: Outcome, now: float) -> tuple[Row, Verdict]:
    """What is known after one more outcome, and what to do. `now`: seconds, of the clock of `before`."""
    match outcome:
        case Outcome.ANSWERED:
            return NO_BREAK, Verdict.FINE
        case Outcome.COMPLAINED:
            return before, Verdict.SUSPECT
        case Outcome.REFUSED:
            return NO_BREAK, Verdict.DEAD
        case Outcome.BROKE:
            length = before.length + 1 if now - before.last <= ROW_SECONDS else 1
            return Row(length, now), Verdict.DEAD if length >= IN_A_ROW else Verdict.SUSPECT
