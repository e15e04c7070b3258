"""A caller's connection: requests in, one after another, and their answers out.

What `front_request` finds common is served from here. At the first thing that is not, the connection is lent to
`aside` with every byte that has not been answered, and stays lent: this protocol then only passes on what the event
loop says. Answers are written from here in both cases.
"""

import asyncio
import math
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol, cast

from .body_budget import FREE_BYTES, Bodies, Share
from .body_limits import Pace
from .errand import Errand
from .front_head import CommonHead, Heads
from .front_request import FrontVisitor, RefusedVisitor, Requests
from .limits import Limits
from .lingering import Lingering
from .visitor import NoRoomError, TooLateError, Visitor
from .way_back import Clock, Source, WayBack

HEAD_SECONDS: Final = 30.0
"""For a request's line and headers, from the connection's or their own first byte."""
IDLE_SECONDS: Final = 75.0
"""How long a connection is kept between requests: at least this, at most twice as long."""
_AHEAD_BYTES: Final = 64 * 1024
"""How much a caller may send ahead while its request is being answered."""
_TOO_LATE: Final = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER of a socket that resets its connection when it is closed, instead of ending it."""


class House(Protocol):
    """What a connection needs of the front it belongs to."""

    clock: Clock
    group: asyncio.TaskGroup
    """Owns the tasks of requests that need one."""
    heads: Heads
    head_seconds: float
    limits: Limits
    bodies: Bodies

    answer: Callable[[Visitor], Coroutine[Any, None, None]]
    """Answers one request, as an `errand`."""

    def failed(self, back: WayBack, fault: Exception) -> None:
        """End an answer whose errand has ended with a fault."""
        ...

    def lend(self) -> asyncio.Protocol:
        """Make a protocol for the requests that are not common."""
        ...

    def left(self, connection: "CallerConnection") -> None:
        """Hear that the connection is closed."""
        ...


class CallerConnection:
    """Implements `way_back.Line`, and asyncio.Protocol without inheriting it: see `lean_connection.Connection`."""

    write: Callable[[bytes], None]
    """See `way_back.Line`. The transport's own, so that nothing stands between."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._loop = asyncio.get_running_loop()
        self._errand = Errand(house.group)
        self._back: WayBack | None = None
        self._lent: asyncio.Protocol | None = None
        self._source: Source | None = None
        self._full = False
        self._ahead_is_full = False
        self._requests = Requests(house.heads)
        self._share = Share(house.bodies)
        self._pace: Pace | None = None
        self._new = True
        self._busy = False
        self._leaving = False

    # What the house does.

    @property
    def busy(self) -> bool:
        """Whether a request is being read or answered here."""
        return self._lent is None and (self._busy or self._requests.reading is not None)

    @property
    def lent(self) -> bool:
        """Whether the other door has it."""
        return self._lent is not None

    def leave(self) -> None:
        """Close after the answer that is being given, or at once."""
        self._leaving = True
        if not self.busy and self._lent is None:
            self._transport.close()

    def abort(self) -> None:
        """Close without waiting for anything."""
        self._transport.abort()

    # What the way back does: `way_back.Line`.

    def write_both(self, head: bytes, body: bytes) -> None:
        """See `way_back.Line`."""
        self._transport.writelines((head, body))

    def draws_from(self, source: Source | None) -> None:
        """See `way_back.Line`."""
        self._source = source
        if source is not None and self._full:
            source.pause()

    def close(self) -> None:
        """See `way_back.Line`."""
        if self._lent is not None:
            return
        if self._requests.reading is None:
            self._transport.close()
            return
        self._timer.cancel()
        self._lent = cast("asyncio.Protocol", Lingering())
        self._lent.connection_made(self._transport)

    def break_off(self) -> None:
        """See `way_back.Line`."""
        if not self._transport.is_closing():
            made = self._transport.get_extra_info("socket")
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.close()

    @property
    def closing(self) -> bool:
        """See `way_back.Line`."""
        return self._leaving

    # What the event loop says: asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self.write = self._transport.write
        self._due = self._loop.time() + self._house.head_seconds
        self._arm(self._due)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._lent is not None:
            self._lent.data_received(data)
            return
        self._requests.feed(data)
        if not self._busy:
            self._advance()
        elif len(self._requests.held) > _AHEAD_BYTES and not self._ahead_is_full:
            self._ahead_is_full = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        """See asyncio.Protocol. The transport closes itself."""
        if self._lent is not None:
            self._lent.eof_received()

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._full = True
        if self._source is not None:
            self._source.pause()
        if self._lent is not None:
            self._lent.pause_writing()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._full = False
        if self._source is not None:
            self._source.resume()
        if self._lent is not None:
            self._lent.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._timer.cancel()
        self._leaving = True
        self._errand.cancel()
        self._share.let_go()
        if self._lent is not None:
            self._lent.connection_lost(exc)
        self._house.left(self)

    # Requests.

    def _advance(self) -> None:
        """Take up the requests that are here, until one must be waited for."""
        while (request := self._requests.take()) is not None:
            self._pace = None
            if len(request[1]) > FREE_BYTES and not self._share.grow(len(request[1])):
                self._refuse(request[0], NoRoomError())
                return
            visitor = FrontVisitor(self, self._house.clock, *request)
            if not self._answer(visitor, visitor):
                return
        self._look_ahead()

    def _answer(self, visitor: Visitor, back: WayBack) -> bool:
        """Take up a request. Returns whether another can follow at once."""
        self._back, self._busy, self._new, self._due = back, True, False, math.inf
        return self._errand.begin(self._house.answer(visitor), self._answered) and self._is_free()

    def _answered(self) -> None:
        """The request that was waited for has been answered."""
        if self._is_free():
            self._advance()

    def _is_free(self) -> bool:
        """End with a request; whether there can be another."""
        self._source = None
        back, self._back = self._back, None
        assert back is not None
        if self._errand.fault is not None:
            self._house.failed(back, self._errand.fault)
        if self._share.size:
            self._share.let_go()
        if self._leaving or not back.lasting:
            self.close()
            return False
        self._busy = False  # since when it is idle is for `_look` to see
        if self._ahead_is_full:
            self._ahead_is_full = False
            self._transport.resume_reading()
        return True

    def _look_ahead(self) -> None:
        """No request is whole: what is it that is here?"""
        if self._requests.uncommon:
            self._lend()
        elif self._requests.reading is not None:
            self._read_on(self._requests.reading)
        elif self._requests.held and self._due > (soon := self._loop.time() + self._house.head_seconds):
            self._by(soon)  # the head of a later request has the same time as the first one's

    def _read_on(self, head: CommonHead) -> None:
        """More has come of a body that is not whole."""
        received = self._requests.received
        if self._pace is None:
            self._pace = Pace(self._house.limits, self._loop.time())
            self._due = self._pace.due(received)
            self._by(self._due)
            if not self._share.fits(self._requests.announced):
                self._refuse(head, NoRoomError())
                return
        if not self._share.grow(received):
            self._refuse(head, NoRoomError())

    def _refuse(self, head: CommonHead, wrong: Exception) -> None:
        """Answer a request whose body is not had."""
        back = WayBack(self, self._house.clock, old=False, bodiless=False, lasting=False)
        self._answer(RefusedVisitor(head, back, wrong), back)

    def _lend(self) -> None:
        self._timer.cancel()
        lent = self._lent = self._house.lend()
        lent.connection_made(self._transport)
        lent.data_received(self._requests.held)

    def _look(self) -> None:
        """Show out who is late. Armed anew only when it fires, because requests are many."""
        now = self._loop.time()
        if now < self._due:
            if self._due == math.inf and not self._busy:
                self._due = now + IDLE_SECONDS
            self._arm(min(self._due, now + IDLE_SECONDS))
        elif self._requests.reading is not None and self._pace is not None:
            received = self._requests.received
            due = self._pace.due(received)
            if now < due:
                self._due = due
                self._arm(min(due, now + IDLE_SECONDS))
            else:
                self._house.limits.reached(self._pace.reached(received))
                self._refuse(self._requests.reading, TooLateError("the request body did not come in time"))
        else:
            if self._requests.held or self._new:
                self._transport.write(_TOO_LATE)
            self._transport.close()

    def _by(self, due: float) -> None:
        """Expect something by then."""
        self._due = due
        if due < self._armed:
            self._timer.cancel()
            self._arm(due)

    def _arm(self, when: float) -> None:
        self._armed = when
        self._timer = self._loop.call_at(when, self._look)
