"""A caller's connection: requests in, one after another, and their answers out.

What `front_request` finds common is served from here. At the first thing that is not, the connection is lent to
aiohttp with every byte that has not been answered, and stays lent: this protocol then only passes on what the event
loop says. Answers are written from here in both cases.
"""

import asyncio
import math
from typing import Final, Protocol, cast

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
    most_bytes: int
    head_seconds: float

    def attend(self, connection: "CallerConnection") -> "asyncio.Task[None]":
        """Run `serve` in a task that the house owns."""
        ...

    async def answer(self, visitor: "FrontVisitor") -> None:
        """Answer one request."""
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
        self._task: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._lent: asyncio.Protocol | None = None
        self._source: Source | None = None
        self._full = False
        self._ahead_is_full = False
        self._requests = Requests(house.most_bytes)
        self._here: FrontVisitor | None = None
        self._busy = False
        self._leaving = False

    # What the house does.

    async def serve(self) -> None:
        """Answer requests until the connection is to be closed."""
        while not self._leaving:
            visitor = self._here
            if visitor is None:
                self._waiter = self._loop.create_future()
                await self._waiter
                continue
            self._here = None
            try:
                await self._house.answer(visitor)
            finally:
                self.draws_from(None)
            if not visitor.back.lasting:
                break
            self._busy = False
            self._due = self._loop.time() + IDLE_SECONDS
            if self._ahead_is_full:
                self._ahead_is_full = False
                self._transport.resume_reading()
            if self._requests.held:
                self._advance()
        self._transport.close()

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
        if self._task is not None:
            self._task.cancel()
        if self._lent is not None:
            self._lent.connection_lost(exc)
        self._house.left(self)

    # Requests.

    def _advance(self) -> None:
        """Take the next request, if it is here."""
        request = self._requests.take()
        if request is not None:
            head, body = request
            back = WayBack(self, self._house.clock, old=False, bodiless=head.method == "HEAD", lasting=head.lasting)
            self._here, self._busy = FrontVisitor(head, body, back), True
            if self._task is None:
                self._task = self._house.attend(self)
            elif self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)
        elif self._requests.uncommon:
            self._lend()
        elif (head_here := self._requests.reading) is not None:
            self._due = math.inf  # a body may take its time
            if head_here.waits:
                head_here.waits = False
                self._transport.write(_GO_ON)
        elif self._requests.held and self._due > (soon := self._loop.time() + self._house.head_seconds):
            self._timer.cancel()  # the head of a later request has the same time as the first one's
            self._due, self._timer = soon, self._loop.call_at(soon, self._look)

    def _lend(self) -> None:
        self._timer.cancel()
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
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
            if self._requests.held or self._task is None:
                self._transport.write(_TOO_LATE)
            self._transport.close()
