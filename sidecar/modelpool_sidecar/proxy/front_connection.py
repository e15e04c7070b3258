"""A caller's connection: requests in, one after another, and their answers out.

What `front_request` finds common is served from here. At the first thing that is not, the connection is lent to
aiohttp with every byte that has not been answered, and stays lent: this protocol then only passes on what the event
loop says. Answers are written from here in both cases.
"""

import asyncio
import math
from collections.abc import Coroutine
from typing import Any, Final, Protocol, cast

from .errand import Errand
from .front_head import Heads
from .front_request import FrontVisitor, Requests
from .way_back import Clock, Source, WayBack

HEAD_SECONDS: Final = 30.0
"""For a request's line and headers, from the connection's or their own first byte."""
IDLE_SECONDS: Final = 75.0
"""How long a connection is kept between requests: at least this, at most twice as long."""
_AHEAD_BYTES: Final = 64 * 1024
"""How much a caller may send ahead while its request is being answered."""
_TOO_LATE: Final = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class House(Protocol):
    """What a connection needs of the front it belongs to."""

    clock: Clock
    group: asyncio.TaskGroup
    """Owns the tasks of requests that need one."""
    heads: Heads
    head_seconds: float

    def answer(self, visitor: FrontVisitor) -> Coroutine[Any, None, None]:
        """Answer one request. It runs as an `errand`."""
        ...

    def lend(self) -> asyncio.Protocol:
        """Make a protocol for the requests that are not common."""
        ...

    def left(self, connection: "CallerConnection") -> None:
        """Hear that the connection is closed."""
        ...


class CallerConnection(asyncio.Protocol):
    """Implements `way_back.Line`."""

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
        self._busy = False
        self._leaving = False

    # What the house does.

    @property
    def busy(self) -> bool:
        """Whether a request is being read or answered here."""
        return self._lent is None and (self._busy or self._requests.reading is not None)

    @property
    def lent(self) -> bool:
        """Whether aiohttp has it."""
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

    def write(self, *data: bytes) -> None:
        """See `way_back.Line`."""
        if len(data) == 1:
            self._transport.write(data[0])
        else:
            self._transport.writelines(data)

    def draws_from(self, source: Source | None) -> None:
        """See `way_back.Line`."""
        self._source = source
        if source is not None and self._full:
            source.pause()

    def close(self) -> None:
        """See `way_back.Line`."""
        self._transport.close()

    @property
    def closing(self) -> bool:
        """See `way_back.Line`."""
        return self._leaving

    # What the event loop says: asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self._due = self._loop.time() + self._house.head_seconds
        self._timer = self._loop.call_at(self._due, self._look)

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
        if self._lent is not None:
            self._lent.connection_lost(exc)
        self._house.left(self)

    # Requests.

    def _advance(self) -> None:
        """Take up the requests that are here, until one must be waited for."""
        while (request := self._requests.take()) is not None:
            head, body = request
            back = WayBack(self, self._house.clock, old=False, bodiless=head.method == "HEAD", lasting=head.lasting)
            self._back, self._busy = back, True
            answering = self._house.answer(FrontVisitor(head, body, back))
            if not self._errand.begin(answering, self._answered) or not self._is_free():
                return
        self._look_ahead()

    def _answered(self) -> None:
        """The request that was waited for has been answered."""
        if self._is_free():
            self._advance()

    def _is_free(self) -> bool:
        """End with a request; whether there can be another."""
        self._source = None
        if self._leaving or not (self._back and self._back.lasting):
            self._transport.close()
            return False
        self._busy = False
        self._due = self._loop.time() + IDLE_SECONDS
        if self._ahead_is_full:
            self._ahead_is_full = False
            self._transport.resume_reading()
        return True

    def _look_ahead(self) -> None:
        """No request is whole: what is it that is here?"""
        if self._requests.uncommon:
            self._lend()
        elif self._requests.reading is not None:
            self._due = math.inf  # a body may take its time
            if self._requests.waits:
                self._requests.waits = False
                self._transport.write(_GO_ON)
        elif self._requests.held and self._due > (soon := self._loop.time() + self._house.head_seconds):
            self._timer.cancel()  # the head of a later request has the same time as the first one's
            self._due, self._timer = soon, self._loop.call_at(soon, self._look)

    def _lend(self) -> None:
        self._timer.cancel()
        lent = self._lent = self._house.lend()
        lent.connection_made(self._transport)
        lent.data_received(self._requests.held)

    def _look(self) -> None:
        """Show out who is late. Armed anew only when it fires, because requests are many."""
        now = self._loop.time()
        if self._busy or now < self._due:
            again = now + IDLE_SECONDS
            self._timer = self._loop.call_at(again if self._busy else min(self._due, again), self._look)
        else:
            if self._requests.held or self._back is None:
                self._transport.write(_TOO_LATE)
            self._transport.close()
