"""How a caller's bytes are taken at the side door: until when more is expected, and when none are taken for now."""

import asyncio
from typing import Final

from .aside_body import AHEAD_BYTES
from .aside_house import AsideHouse
from .aside_line import AsideLine
from .body_limits import Pace

_GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class AsideReading(AsideLine):
    """Implements `aside_body.Taps`."""

    def __init__(self, house: AsideHouse) -> None:
        super().__init__()
        self._house = house
        self._loop = asyncio.get_running_loop()
        self._held = b""
        """What belongs to no request that was taken."""
        self._pace = Pace(house.limits, 0.0)
        self._waits = False
        """Whether the caller sends its body only when it is told to."""
        self._paused = False
        """Whether nothing is taken from the caller."""
        self._timer = self._loop.call_later(house.limits.head_timeout, self._look)

    # What the body does: `aside_body.Taps`.

    def go_on(self) -> None:
        """See `aside_body.Taps`."""
        if self._waits:
            self._waits = False
            if self._body is not None and not self._body.received:
                self.write(_GO_ON)
            self._pace = Pace(self._house.limits, self._loop.time())
            self._watch()

    def taken(self) -> None:
        """See `aside_body.Taps`."""
        self._resume()

    # Time.

    def _look(self) -> None:
        """Somebody may be late."""
        raise NotImplementedError

    def _watch(self) -> None:
        """Look at the body again when it is late, if no more of it has come until then."""
        if self._body is not None:
            self._by(self._pace.due(self._body.received, self._loop.time()))

    def _by(self, due: float) -> None:
        """Look again then."""
        self._timer.cancel()
        self._timer = self._loop.call_at(due, self._look)

    def _bound(self) -> None:
        """Take nothing while too much is here that nobody has taken."""
        body = self._body
        if self.over or (len(self._held) <= AHEAD_BYTES and (body is None or not body.coming or not body.full)):
            return
        self._paused = True
        self._pace.hold(self._loop.time())
        self._transport.pause_reading()

    def _resume(self) -> None:
        """Take something again, unless there still is too much."""
        if self._paused and len(self._held) <= AHEAD_BYTES and not self.over:
            self._paused = False
            self._pace.go_on(self._loop.time())
            self._transport.resume_reading()
