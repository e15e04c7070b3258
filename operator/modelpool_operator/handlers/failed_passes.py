"""How often in a row the passes over each pool met an API server that could not serve them, or said no."""

from collections.abc import Callable
from typing import Final

from modelpool_operator.api.names import ObjectRef

TOLD_AFTER: Final = 5
"""Passes in a row that an API server did not serve to their end, or denied, before their pool is told. One that
restarts is no news; for a moment it knows no roles, and denies everybody everything."""
KEPT_FOR: Final = 300.0
"""Seconds of such passes for which what was known before still counts: one read that fails goes on for ever."""


class FailedPasses:
    """All pools'. One event loop; no locks."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[ObjectRef, tuple[int, float]] = {}
        """How many there were, and since when."""

    def begin(self, ref: ObjectRef) -> tuple[int, float]:
        """Take it that a pass begins, which may go well, and return what was known."""
        return self._known.pop(ref, (0, self._clock()))

    def note(self, ref: ObjectRef, before: tuple[int, float]) -> bool:
        """Take note of one more, and return whether its pool is to be told."""
        number, since = before
        self._known[ref] = number + 1, since
        return number + 1 >= TOLD_AFTER

    def are_lasting(self, ref: ObjectRef) -> bool:
        """Return whether what was known before them does not count any more."""
        return self._clock() - self._known[ref][1] >= KEPT_FOR
