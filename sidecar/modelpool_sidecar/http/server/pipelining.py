"""Requests that were sent ahead, in turns: every connection has one request answered, then the next connection.

The first request of a piece of bytes is answered where it arrives. Those behind it wait here, so that a caller that
sends ten thousand in one piece holds up nobody else, and all that do so together have a share of each turn of the loop.
"""

import asyncio
import time
from collections import deque
from typing import Final, Protocol

TURN_NS: Final = 2_000_000
"""Nanoseconds of each turn of the event loop for requests that were sent ahead; the last of them may take longer."""


class Waiting(Protocol):
    """A connection with further requests."""

    def take_turn(self) -> None:
        """Take up one request."""
        ...


class Turns:
    """Whose further requests are due. One per gateway."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Waiting] = deque()
        self._called = False

    def join(self, waiting: Waiting) -> None:
        """Have a turn later, behind all others that wait."""
        self._waiting.append(waiting)
        if not self._called:
            self._called = True
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        ends = time.monotonic_ns() + TURN_NS
        waiting = self._waiting
        try:
            while waiting:
                waiting.popleft().take_turn()
                if time.monotonic_ns() >= ends:
                    break
        finally:  # whatever is wrong with one connection, the others have their turn
            self._called = bool(waiting)
            if waiting:
                self._loop.call_soon(self._go_on)
