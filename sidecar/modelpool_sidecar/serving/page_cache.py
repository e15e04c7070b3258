"""Pages that take long to make: they are made for a tenth of the time at most, however often they are asked for."""

import time
from collections.abc import Callable
from typing import Final

from ..dialects.answer import Answer

_REST: Final = 9
"""So many times as long as making a page took, the same page is given out again."""


class PageCache:
    """The pages that were made last. One per gateway."""

    def __init__(
        self, clock_ns: Callable[[], int] = time.monotonic_ns, spent_ns: Callable[[], int] = time.thread_time_ns
    ) -> None:
        """Two clocks, both in nanoseconds: the time, and the processor time spent."""
        self._clock_ns = clock_ns
        self._spent_ns = spent_ns
        self._made: dict[str, tuple[int, Answer]] = {}
        """With the time until which they are given out."""

    def page(self, path: str, make: Callable[[], Answer]) -> Answer:
        """The page at a path, made now or lately: ten times as long ago as making it takes, at most."""
        until, known = self._made.get(path, (0, None))
        if known is not None and self._clock_ns() < until:
            return known
        begun = self._spent_ns()
        made = make()
        self._made[path] = self._clock_ns() + _REST * (self._spent_ns() - begun), made
        return made
