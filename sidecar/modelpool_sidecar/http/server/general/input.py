"""How a caller's bytes are taken: until when more is expected, and when none are taken for now."""

import asyncio
import math
from typing import Final

from ..body_deadline import Pace
from ..connection_owner import ConnectionOwner
from .body import AHEAD_BYTES, IncomingBody
from .output import GeneralOutput
from .request import GeneralRequest

_AT_ONCE_LINES: Final = 4096
"""More lines of a chunked body are not gone through at once: each chunk costs a microsecond, and may carry one byte."""
_AT_ONCE_BYTES: Final = 16 * 1024
"""How much of such a body is gone through before others have their turn."""
_GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class GeneralInput(GeneralOutput):
    """Implements `body.Taps`."""

    def __init__(self, owner: ConnectionOwner, due: float) -> None:
        """`due`: by when the head must be whole that has begun."""
        super().__init__()
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._pace = Pace(owner.limits, 0.0)
        self._waits = False
        """Whether the caller sends its body only when it is told to."""
        self._paused = False
        """Whether nothing is taken from the caller."""
        self._later = b""
        """What comes next, and waits for the next turn of the event loop."""
        self._request: GeneralRequest | None = None
        """Whose request is being read or answered."""
        self._in_line = False
        """Whether there may be a further request, which waits for its turn."""
        self._timed = True
        """Whether the next head has its time already."""
        self._due = due
        """When somebody is late."""
        self._timer = self._loop.call_at(due, self._look)

    @property
    def idle_since(self) -> float:
        """See `connection_owner.KeptConnection`."""
        asks = self._request is not None or self._held or self._later or self._timed or self._in_line
        return (
            math.inf
            if asks or self.over or self._transport.is_closing()
            else self._due - self._owner.limits.idle_timeout
        )

    @property
    def _is_next(self) -> bool:
        """Whether there may be a further request, which waits for its turn or for room in the caller's socket."""
        return self._in_line or (self._held != b"" and self._line.full)

    def _forget(self) -> None:
        """Nothing of the request is needed any more: it knows this connection, and may hold a large body."""
        self._request = self._body = None

    # What the body does: `body.Taps`.

    def go_on(self) -> None:
        """See `body.Taps`."""
        if self._waits:
            self._waits = False
            if self._body is not None and not self._body.received:
                self.write(_GO_ON)
            self._pace = Pace(self._owner.limits, self._loop.time())
            self._watch()

    def taken(self) -> None:
        """See `body.Taps`."""
        self._resume()

    # Turns.

    def _received(self, data: bytes) -> None:
        """Something has come."""
        raise NotImplementedError

    def _fed(self, body: IncomingBody, data: bytes) -> bytes:
        """Give a body what has come, of small chunks only so many at once. What comes behind the body is returned."""
        if len(data) > _AT_ONCE_BYTES and not body.framing.announced and data.count(b"\n") > _AT_ONCE_LINES:
            if not self._later:
                self._loop.call_soon(self._go_on)
            self._later = data[_AT_ONCE_BYTES:] + self._later
            data = data[:_AT_ONCE_BYTES]
            if not self._transport.is_closing():
                self._transport.pause_reading()
        return body.feed(data)

    def _go_on(self) -> None:
        """Others have had their turn."""
        later, self._later = self._later, b""
        if self.over or self._transport.is_closing():
            return
        self._received(later)
        self._listen()

    def _listen(self) -> None:
        """Take what comes, unless there is a reason not to."""
        if not (self._later or self._paused or self.over or self._transport.is_closing()):
            self._transport.resume_reading()

    # Time.

    def _look(self) -> None:
        """Somebody may be late."""
        raise NotImplementedError

    def _watch(self) -> None:
        """Look at the body again when it is late, if no more of it has come until then."""
        if self._body is not None:
            self._by(self._pace.due(self._body.received, self._loop.time()))

    def _begins(self, data: bytes) -> None:
        """Something has come of the next head, which has its time from now on. Empty lines begin no head."""
        if not self._timed and data.strip(b"\r\n"):
            self._timed = True
            self._by(self._loop.time() + self._owner.limits.head_timeout)

    def _by(self, due: float) -> None:
        """Look again then."""
        self._timer.cancel()
        self._due = due
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
            self._listen()
