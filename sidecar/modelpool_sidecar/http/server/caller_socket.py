"""What answers are written to: the way out of a caller's connection, and what becomes of one that is not read.

What is full holds back its source, and requests that were sent ahead. The front looks at every connection now and then:
a caller that takes nothing of what waits for it is cut off, and one that left while nobody listened to it is let go.
"""

import asyncio
import math
import socket
import struct
from collections.abc import Callable
from typing import Final

from ..limits import Limit, Limits
from . import socket_state
from .response_writer import Source
from .socket_state import Unread

_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER of a socket that resets its connection when it is closed, instead of ending it."""


class CallerSocket:
    """Implements `response_writer.CallerOutput`."""

    _timer: asyncio.TimerHandle
    write: Callable[[bytes], None]
    """See `response_writer.CallerOutput`. The transport's own, so that nothing stands between."""

    def __init__(self, limits: Limits) -> None:
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._made = False
        self._lost = False
        self._due = math.inf
        """When the caller is late."""
        self._armed = math.inf
        self.full = False
        """See `response_writer.CallerOutput`."""
        self._source: Source | None = None
        self._unread = Unread()
        self.closing = False
        """See `response_writer.CallerOutput`."""
        self.ending = False
        """See `response_writer.CallerOutput`."""
        self.why = "the caller left"
        """See `response_writer.CallerOutput`."""

    def use(self, transport: asyncio.Transport) -> None:
        """Write to this from now on."""
        self._transport = transport
        self.write = transport.write
        self._made = True

    def abort(self) -> None:
        """Close without waiting for anything."""
        if self._made:
            self._transport.abort()

    def look(self, now: float) -> None:
        """Cut off a caller that reads nothing of what waits for it, or that has left unseen."""
        if not self._made or self._lost:
            return
        limit = self._limits.write_timeout
        if socket_state.unread_seconds(self._transport, self._unread, now, paused=self.full) >= limit:
            self._limits.reached(Limit.WRITE_SECONDS)
            self.why = f"the caller read nothing for {limit:g} s"
            self._transport.abort()
        elif socket_state.left_unseen(self._transport):
            self._transport.abort()

    # What answers are written with: `response_writer.CallerOutput`.

    def write_both(self, head: bytes, body: bytes) -> None:
        """See `response_writer.CallerOutput`."""
        self._transport.writelines((head, body))

    def draws_from(self, source: Source | None) -> None:
        """See `response_writer.CallerOutput`."""
        self._source = source
        if source is not None and self.full:
            source.pause()

    def close(self) -> None:
        """See `response_writer.CallerOutput`."""
        self._transport.close()

    def break_off(self) -> None:
        """See `response_writer.CallerOutput`."""
        if not self._transport.is_closing():
            made = self._transport.get_extra_info("socket")
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.close()

    # What the event loop says: asyncio.Protocol.

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self.full = True
        if self._source is not None:
            self._source.pause()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self.full = False
        self._unread.forget()
        if not self._transport.is_closing():
            self._transport.set_write_buffer_limits()  # what `look` has changed
        if self._source is not None:
            self._source.resume()

    def lose(self) -> None:
        """The connection is closed."""
        self.closing = self._lost = True

    # By when something is expected of the caller. The timer is armed anew only when it fires, because requests are
    # many.

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
        self._arm(min(due, now + self._limits.idle_timeout))

    def _arm(self, when: float) -> None:
        self._armed = when
        self._timer = self._loop.call_at(when, self._late)
