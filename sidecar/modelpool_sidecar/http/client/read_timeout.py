"""When an engine may be silent: its silence is bounded while it may send, and it may be made to wait.

The bound needs neither a timer per answer nor a clock per chunk.
"""

import asyncio
from collections.abc import Callable
from typing import Final

_LOOKS: Final = 8
"""In the time of a silence that is too long; so a silence ends up to an eighth later than it should."""
QUIET_SECONDS: Final = 1.0
"""After so much silence it is asked whether there is anything left to be said."""


class ReadTimeout:
    """Tells when a connection has been silent for too long. Its timer is armed anew only when it fires.

    Whoever hears something only says so (`spoken`): when that was is known by the last look.
    """

    __deletable__ = ("_too_long",)
    __slots__ = ("_limit", "_loop", "_timer", "_too_long", "answering", "heard", "held_back", "spoken")

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: float, too_long: Callable[[], None]) -> None:
        """`limit`: seconds. `too_long` is called when they are over, busy or not."""
        self._loop = loop
        self._limit = limit
        self._too_long = too_long
        self._timer: asyncio.TimerHandle | None = None
        self.heard = 0.0
        """When something was last heard or said, as far as was looked, by the loop's clock in seconds."""
        self.spoken = False
        """Whether something was heard since then: for the connection to set."""
        self.held_back = False
        """Whether the engine is silent because it is made to wait."""
        self.answering = False
        """Whether the answer's head is here. Before, what is heard ends no silence: a head may come byte by byte."""

    def begin(self) -> None:
        """Something has been asked for, or a piece of it was sent."""
        self.heard = self._loop.time()
        self.answering = self.spoken = False
        if self._timer is None:
            self._timer = self._loop.call_later(self._limit / _LOOKS, self._look)

    def end(self) -> None:
        """The connection is closed."""
        if self._timer is not None:
            self._timer.cancel()
        del self._too_long  # which knows the connection

    def is_quiet(self) -> bool:
        """Whether an answer has said nothing for a while, though it may."""
        return self.lasts(self._loop.time()) >= QUIET_SECONDS

    def lasts(self, now: float) -> float:
        """For how many seconds nothing has been heard of an engine that may speak."""
        self._listen(now)
        return now - self.heard

    def _listen(self, now: float) -> None:
        if self.held_back or (self.spoken and self.answering):
            self.heard = now
        self.spoken = False

    def _look(self) -> None:
        self._timer = None
        left = self._limit - self.lasts(self._loop.time())
        if left > 0:
            self._timer = self._loop.call_later(min(left, self._limit / _LOOKS), self._look)
        else:
            self._too_long()


class ReadPausing:
    """Pauses and resumes the reading of one connection."""

    __slots__ = ("_over", "_silence", "_transport", "_yields", "is_full", "is_unread")

    def __init__(self, transport: asyncio.Transport, silence: ReadTimeout) -> None:
        self._transport = transport
        self._silence = silence
        self.is_unread = False
        """Too much has come that nobody has read."""
        self.is_full = False
        """Whoever takes what comes has no room for more."""
        self._over = False
        self._yields = False

    def unread(self, is_unread: bool, *, ended: bool) -> None:
        """Say whether too much has come that nobody has read. `ended`: no more will come that could be held back."""
        self.is_unread = is_unread
        self._settle(ended)

    def full(self, is_full: bool, *, ended: bool) -> None:
        """Say whether the taker is full."""
        self.is_full = is_full
        self._settle(ended)

    def yield_turn(self) -> None:
        """Take no more before others have had their turn: the event loop would read megabytes in a row."""
        if not (self._yields or self._silence.held_back or self._over or self._transport.is_closing()):
            self._yields = True
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._turn_over)

    def _turn_over(self) -> None:
        self._yields = False
        if not (self._silence.held_back or self._over or self._transport.is_closing()):
            self._transport.resume_reading()

    def free(self) -> None:
        """Nobody reads or takes what comes any more."""
        self.is_unread = self.is_full = False
        self._settle(True)

    def end(self) -> None:
        """The connection is closed."""
        self._over = True

    def _settle(self, ended: bool) -> None:
        held_back = self.is_unread or self.is_full
        silence = self._silence
        if held_back is silence.held_back or self._over:
            return
        if not held_back:
            silence.held_back, silence.spoken = False, True
            self._transport.resume_reading()
        elif not ended:
            silence.held_back = True
            self._transport.pause_reading()
