"""A connection that was lent to the side door: requests in, one after another, until it ends.

The answers go over the connection that was lent, through the same `WayBack` as at the front door. A body is waited for
as there when it is small. A larger one, and one whose caller waits to be told to go on, is read by whoever answers: so
that what the head alone forbids is refused before the body is sent. Where a body was not read to its end the connection
ends with the answer.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol, cast

from ..protocols.errors import BadRequestError
from .aside_body import AHEAD_BYTES, IncomingBody
from .aside_head import AsideHead, HeadReader, refused
from .aside_visitor import AsideVisitor
from .body_budget import Bodies, Share
from .body_framing import Chunked, Counted
from .body_limits import Pace
from .errand import Bell, Errand
from .front_turns import Turns
from .limits import Limit, Limits
from .lingering import Lingering
from .visitor import TooLateError, Visitor
from .way_back import Clock, Line, Source, WayBack

IDLE_SECONDS: Final = 75.0
"""How long a connection is kept between requests."""
_GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class AsideHouse(Protocol):
    """What a connection needs of the front that it came in by."""

    clock: Clock
    group: asyncio.TaskGroup
    """Owns the tasks of requests that need one."""
    limits: Limits
    bodies: Bodies
    turns: Turns

    answer: Callable[[Visitor], Coroutine[Any, None, None]]
    """Answers one request, as an `errand`."""
    refuse: Callable[[Visitor, Exception], None]
    """Answers one request with the reason why it is not served."""

    def failed(self, back: WayBack, fault: Exception) -> None:
        """End an answer whose errand has ended with a fault."""
        ...


class AsideConnection:
    """Implements `way_back.Line`, and asyncio.Protocol without inheriting it: see `lean_connection.Connection`."""

    write: Callable[[bytes], None]
    """See `way_back.Line`."""

    def __init__(self, house: AsideHouse, left: Callable[["AsideConnection"], None]) -> None:
        """`left` hears that the connection is closed."""
        self._house = house
        self._left = left
        self._loop = asyncio.get_running_loop()
        self._errand = Errand(house.group)
        self._reader = HeadReader()
        self._share = Share(house.bodies)
        self._held = b""
        self._visitor: AsideVisitor | None = None
        """Whose request is being read or answered."""
        self._body: IncomingBody | None = None
        self._pace = Pace(house.limits, 0.0)
        self._due = 0.0
        self._waits = False
        self._gathering = False
        """Whether its small body is waited for, and nobody answers it yet."""
        self._enough = 0
        """How much of it is waited for."""
        self._paused_at = 0.0
        """Since when nothing is taken from the caller; 0 while it is."""
        self._leaving = False
        self._refused = False
        self._lost = False
        self._in_line = False
        self._lingering: Lingering | None = None

    def leave(self) -> None:
        """Close after the answer that is being given, or at once."""
        self._leaving = True
        if self._visitor is None or self._lingering is not None:
            self._transport.close()

    def end(self) -> None:
        """Have the answer that is being given end now, whole or not, and close."""
        if self._visitor is None or self._gathering:
            self._transport.abort()
        else:
            self._errand.cancel()

    # What the way back does: `way_back.Line`.

    def write_both(self, head: bytes, body: bytes) -> None:
        """See `way_back.Line`."""
        self._line.write_both(head, body)

    def draws_from(self, source: Source | None) -> None:
        """See `way_back.Line`."""
        self._line.draws_from(source)

    def break_off(self) -> None:
        """See `way_back.Line`."""
        self._line.break_off()

    def close(self) -> None:
        """See `way_back.Line`. What comes still is read and thrown away for a while, or the answer might not arrive."""
        if self._lost or self._lingering is not None:
            return
        if self._refused or (self._body is not None and not self._body.ended):
            self._timer.cancel()
            self._held = b""
            self._lingering = Lingering()
            self._lingering.connection_made(self._transport)
        else:
            self._transport.close()

    @property
    def closing(self) -> bool:
        """See `way_back.Line`."""
        return self._leaving or self._line.closing or (self._body is not None and not self._body.ended)

    @property
    def ending(self) -> bool:
        """See `way_back.Line`."""
        return self._line.ending

    @property
    def why(self) -> str:
        """See `way_back.Line`."""
        return self._line.why

    @property
    def full(self) -> bool:
        """See `way_back.Line`."""
        return self._line.full

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

    # What the event loop says: asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self._line = cast("Line", transport.get_protocol())
        self.write = self._line.write
        self._due = self._loop.time() + self._house.limits.head_timeout
        self._timer = self._loop.call_at(self._due, self._look)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        body = self._body
        if self._lingering is not None:
            return
        if body is not None and body.coming:
            data = body.feed(data)
            if not self._gathering:
                body.bell.ring()
            elif not body.coming or body.received >= self._enough:
                self._gathering = False
                self._answer()
        if data and not self._lost and self._lingering is None:
            self._follow(data)
        body = self._body
        if len(self._held) > AHEAD_BYTES or (body is not None and body.coming and body.full):
            self._pause()

    def _follow(self, data: bytes) -> None:
        """Take what belongs to no request that was taken."""
        fresh = not self._held
        self._held = self._held + data
        if self._visitor is None:
            if fresh:
                self._by(min(self._due, self._loop.time() + self._house.limits.head_timeout))
            self._advance()

    def eof_received(self) -> None:
        """See asyncio.Protocol. The transport closes itself."""

    def pause_writing(self) -> None:
        """See asyncio.Protocol. The connection that was lent holds the engine back."""

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._further()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._lost = True
        self._timer.cancel()
        self._reader.forget()
        if self._lingering is not None:
            self._lingering.connection_lost(exc)
        self._errand.cancel()
        self._share.let_go()
        self._left(self)

    # Requests.

    def take_turn(self) -> None:
        """Take up a request that was sent ahead: see `front_turns.Waiting`."""
        self._in_line = False
        self._advance()

    def _advance(self) -> None:
        """Take up the next request, if it is here and the caller reads. Those behind it wait for their turn."""
        if self._visitor is None and not self._lost and not self._in_line and not self._line.full and self._take():
            self._further()

    def _further(self) -> None:
        """Have a turn later, if there may be a further request."""
        if self._held and self._visitor is None and not self._in_line:
            self._in_line = True
            self._house.turns.join(self)

    def _take(self) -> bool:
        """Take up the next request. Returns whether another can follow at once."""
        self._held = self._held.lstrip(b"\r\n") if self._reader.begins else self._held
        if not self._held:
            return False
        found = self._reader.read(self._held)
        if found is None:
            return False
        asked, end = found
        held, self._held = self._held[end:], b""
        framing = Chunked() if asked.chunked else Counted(asked.length) if asked.length else None
        self._body = body = None if framing is None else IncomingBody(framing, self, Bell(self._loop))
        self._pace = Pace(self._house.limits, self._loop.time())
        self._waits = asked.waits
        self._greet(asked)
        if asked.fault is not None:
            self._refuse(asked.fault)
            return False
        self._timer.cancel()
        self._held = held if body is None else body.feed(held)
        if body is None or not body.full:
            self._resume()
        if body is None or not body.coming or asked.waits:
            return self._answer()
        self._enough = min(AHEAD_BYTES, self._house.limits.max_body_bytes + 1)
        if body.received >= self._enough or self._hopeless(asked.length):
            self._watch()
            return self._answer()
        self._gathering = True
        self._watch()
        return False

    def _hopeless(self, length: int) -> bool:
        """Whether a body will be refused that is as long as announced."""
        return length > self._house.limits.max_body_bytes or not self._share.fits(length)

    def _greet(self, asked: AsideHead) -> None:
        """Somebody is here."""
        back = WayBack(
            self, self._house.clock, old=asked.old, bodiless=asked.head.method == "HEAD", lasting=asked.lasting
        )
        self._visitor = AsideVisitor(asked, back, self._body, self._house.limits, self._share)

    def _answer(self) -> bool:
        """Have the request answered. Returns whether another can follow at once."""
        visitor, body = self._visitor, self._body
        assert visitor is not None
        if body is not None and body.fault is not None:
            self._refuse(body.fault)
            return False
        most = self._house.limits.max_body_bytes
        if body is not None and body.ended and not visitor.coded and body.received <= most:
            visitor.body = body.take()
        return self._errand.begin(self._house.answer(visitor), self._answered) and self._finish()

    def _answered(self) -> None:
        """The request that was waited for has been answered."""
        if self._finish():
            self._advance()

    def _finish(self) -> bool:
        """End with a request; whether there can be another."""
        visitor, fault = self._visitor, self._errand.fault
        assert visitor is not None
        self._share.let_go()
        if fault is not None:
            self._house.failed(visitor.back, fault)
        if self._lost or self._leaving or not visitor.back.lasting:
            self.close()
            return False
        self._visitor = self._body = None
        self._resume()
        now = self._loop.time()
        self._by(now + (self._house.limits.head_timeout if self._held else IDLE_SECONDS))
        return True

    def _refuse(self, wrong: Exception) -> None:
        """Say why not, for the last time."""
        visitor = self._visitor
        assert visitor is not None
        visitor.back.lasting = False
        self._refused = True
        self._house.refuse(visitor, wrong)
        self._share.let_go()

    # Time.

    def _watch(self) -> None:
        """Look at the body again when it is late, if no more of it has come until then."""
        if self._body is not None:
            self._by(self._pace.due(self._body.received))

    def _look(self) -> None:
        """Somebody may be late."""
        visitor, body = self._visitor, self._body
        if visitor is None and (self._in_line or (self._held and self._line.full)):
            self._by(self._loop.time() + self._house.limits.head_timeout)
        elif visitor is None:
            self._reader.forget()
            if not self._held:
                self._transport.close()
                return
            self._house.limits.reached(Limit.HEAD_SECONDS)
            self._greet(refused(self._held, BadRequestError("")))
            self._refuse(TooLateError("the request's head did not come in time"))
        elif body is not None and body.coming and not self._waits:
            now = self._loop.time()
            self._pace.bounded = not visitor.streams
            if self._paused_at:
                self._by(now + self._pace.due(body.received) - self._paused_at)
            elif now < (due := self._pace.due(body.received)):
                self._by(due)
            else:
                self._is_late(visitor, body)

    def _is_late(self, visitor: AsideVisitor, body: IncomingBody) -> None:
        self._house.limits.reached(self._pace.reached(body.received))
        body.fail(TooLateError("the request body did not come in time"))
        if self._gathering:
            self._gathering = False
            self._answer()
        else:
            body.bell.ring()

    def _by(self, due: float) -> None:
        self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_at(due, self._look)

    def _pause(self) -> None:
        if not self._paused_at and not self._lost and self._lingering is None:
            self._paused_at = self._loop.time()
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused_at and len(self._held) <= AHEAD_BYTES and not self._lost and self._lingering is None:
            self._pace.waited(self._loop.time() - self._paused_at)
            self._paused_at = 0.0
            self._transport.resume_reading()
