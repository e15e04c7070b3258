"""What is wrong with objects, said once each: who writes much that is wrong shall not fill the log.

What the watches tell of a pool and of its ConfigMap comes in no order, so trouble counts from when it has lasted.
"""

from collections.abc import Iterable
from typing import Final

from .objects import Trouble

PATIENCE: Final = 1.0
"""Seconds that trouble must have lasted to be worth a line."""
PAUSE: Final = 10.0
"""Seconds between two lines about one object, whose trouble may change as often as somebody writes it."""


class Complaints:
    """Remembers what is in trouble, since when, and what was said of it."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._logged: dict[str, tuple[str, float]] = {}
        self.due: float | None = None
        """When to look again though nothing happened."""

    def look(self, troubles: Iterable[Trouble], now: float) -> list[Trouble]:
        """Return what is to be said now; one line for each object."""
        current = dict(troubles)
        for gone in self._since.keys() - current.keys():
            del self._since[gone]
            self._logged.pop(gone, None)
        said: list[Trouble] = []
        self.due = None
        for subject, problem in current.items():
            since = self._since.setdefault(subject, now)
            logged, at = self._logged.get(subject, (None, now - PAUSE))
            if problem == logged:
                continue
            when = max(since + PATIENCE, at + PAUSE)
            if now >= when:
                self._logged[subject] = problem, now
                said.append(Trouble(subject, problem))
            else:
                self.due = when if self.due is None else min(self.due, when)
        return said
