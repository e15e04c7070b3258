"""By when something is expected of a caller. The timer is armed anew only when it fires, because requests are many."""

import asyncio
import math
from typing import Final

from .caller_socket import CallerSocket
from .limits import Limits

IDLE_SECONDS: Final = 75.0
"""How long a connection is kept between requests."""


class TimedSocket(CallerSocket):
    """A line with a time at which its caller is late."""

    _timer: asyncio.TimerHandle

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._due = math.inf
        self._armed = math.inf

    def _late(self) -> None:
        """The time that was armed has come; what is expected may have a later one."""
        raise NotImplementedError

    def _head_due(self) -> float:
        """When a head is late that begins now."""
        return self._loop.time() + self._limits.head_timeout

    def _by(self, due: float) -> None:
        """Expect something by then."""
        self._due = due
        if due < self._armed:
            self._timer.cancel()
            self._arm(due)

    def _again(self, due: float, now: float) -> None:
        """Expect something by then, and look in between: nothing tells when something is expected earlier."""
        self._due = due
        self._arm(min(due, now + IDLE_SECONDS))

    def _arm(self, when: float) -> None:
        self._armed = when
        self._timer = self._loop.call_at(when, self._late)
