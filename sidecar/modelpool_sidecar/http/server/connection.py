"""A caller's connection: requests in, one after another, and their answers out.

What `request_reader` finds common is served from here. At the first thing that is not, the connection is lent to
`general` with every byte that has not been answered, and stays lent: this protocol then only passes on what the event
loop says. Answers are written from here in both cases.
"""

import asyncio
import math
from typing import Final, cast

from ..errors import BadRequestError, TooLateError
from ..inline_task import InlineTask
from ..limits import Limit
from .body_deadline import Pace
from .body_memory import FREE_BYTES, Share
from .caller_socket import CallerSocket
from .connection_owner import ConnectionOwner
from .lingering import Lingering
from .request import ServerRequest
from .request_parser import FastHead
from .request_reader import RefusedRequest, RequestReader, WholeRequest, unheard
from .response_writer import Http11Writer, ResponseWriter

_AHEAD_BYTES: Final = 64 * 1024
"""How much a caller may send ahead while its request is being answered."""


class ServerConnection(CallerSocket):
    """Implements asyncio.Protocol without inheriting it: see `connection.ClientConnection`."""

    def __init__(self, owner: ConnectionOwner) -> None:
        super().__init__(owner.limits)
        self._owner = owner
        self._running = InlineTask(owner.group)
        self._writer: ResponseWriter | None = None
        self._lent: asyncio.Protocol | None = None
        self._in_line = self._ahead_is_full = False
        self._requests = RequestReader(owner.heads)
        self._share = Share(owner.bodies)
        self._pace: Pace | None = None
        self._timed = True
        """Whether the next head has its time already: from the connection's beginning, or from its own."""
        self._busy = self._waits = False
        """Whether there may be a further request, which waits for its turn or for room in the caller's socket."""
        self._late_for_all = False
        """Whether it was told to leave before it was here."""

    def leave(self) -> None:
        """Close after the answer that is being given, or at once."""
        self.closing = True
        if not self._made:
            self._late_for_all = True
        elif not (self._busy or self._waits or self._requests.reading is not None or self._lent is not None):
            self._transport.close()

    def end(self, why: str) -> None:
        """End the answer that is being given with its dialect's error, and close."""
        if not self._made or self._lost:
            return
        self.closing, self.ending, self.why = True, True, why
        if self._busy:
            self._running.cancel()
        elif self._lent is None and self._requests.reading is not None:
            self._refuse(self._requests.reading, BadRequestError(why, status=503))
        elif self._lent is None:
            self._transport.abort()

    def close(self) -> None:
        """See `response_writer.CallerOutput`."""
        if self._lent is not None:
            return
        if self._requests.reading is None and not self._requests.held:
            self._transport.close()
            return
        self._timer.cancel()  # what was sent ahead is not answered, and must not cost the answer before it
        self._lent = cast("asyncio.Protocol", Lingering())
        self._lent.connection_made(self._transport)

    @property
    def idle_since(self) -> float:
        """See `connection_owner.KeptConnection`."""
        asks = self._busy or self._waits or self._lent is not None or self._requests.reading is not None
        asks = asks or (self._timed and self._requests.held != b"")  # a head has begun
        if asks or not self._made or self._lost or self._transport.is_closing():
            return math.inf
        return self._due - (self._limits.head_timeout if self._timed else self._limits.idle_timeout)

    def look(self, now: float) -> None:
        """See `CallerSocket`. Since when it is idle is seen here, so that no request has to look at the clock."""
        super().look(now)
        if self._due == math.inf and not self._busy and not self._waits:
            self._due = now + self._limits.idle_timeout

    # What the event loop says: asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self.use(cast("asyncio.Transport", transport))
        self._due = self._head_due()
        self._arm(self._due)
        if self._late_for_all:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._lent is not None:
            self._lent.data_received(data)
            return
        self._requests.feed(data)
        if not self._busy and not self._waits:
            self._advance()
        elif len(self._requests.held) > _AHEAD_BYTES and not self._ahead_is_full:
            self._ahead_is_full = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        """See asyncio.Protocol. The transport closes itself."""

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        super().resume_writing()
        if self._lent is not None:
            self._lent.resume_writing()
        self._further()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._timer.cancel()
        self.lose()
        self._running.cancel()
        self._share.let_go()
        lent, self._lent = self._lent, None  # they know each other
        if lent is not None:
            lent.connection_lost(exc)
        self._owner.left(self)

    # Requests.

    def take_turn(self) -> None:
        """Take up a request that was sent ahead: see `pipelining.Waiting`."""
        self._in_line = False
        if self._waits and not self.full and not self._lost:
            self._waits = False
            self._advance()

    def _advance(self) -> None:
        """Take up the next request, if it is here. Those behind it wait for their turn."""
        if self.full and self._requests.reading is None:
            self._waits, self._timed, self._due = True, False, math.inf
            return
        taken = self._requests.take()
        if self._ahead_is_full and len(self._requests.held) <= _AHEAD_BYTES:
            self._ahead_is_full = False
            self._transport.resume_reading()
        if taken is None:
            self._look_ahead()
            return
        head, body = taken
        self._pace = None
        if len(body) > FREE_BYTES and not self._share.grow(len(body)):
            self._refuse(head, self._share.refused())
            return
        request = WholeRequest(self, self._owner.clock, head, body)
        if self._answer(request, request) and self._requests.held:
            self._waits = True
            self._further()

    def _further(self) -> None:
        """Have a turn later, if there may be a further request."""
        if self._waits and not self._in_line:
            self._in_line = True
            self._owner.turns.join(self)

    def _answer(self, request: ServerRequest, writer: ResponseWriter) -> bool:
        """Take up a request. Returns whether another can follow."""
        self._writer, self._busy, self._timed, self._due = writer, True, False, math.inf
        return self._running.begin(self._owner.answer(request), self._answered) and self._is_free()

    def _answered(self) -> None:
        """The request that was waited for has been answered."""
        if self._is_free() and self._requests.held:
            self._advance()

    def _is_free(self) -> bool:
        """End with a request; whether there can be another."""
        writer, self._writer, self._source = self._writer, None, None
        assert writer is not None
        if self._running.fault is not None:
            self._owner.failed(writer, self._running.fault)
        if self._share.size:
            self._share.let_go()
        if self.closing or not writer.keep_alive:
            self.close()
            return False
        self._busy = False  # since when it is idle is for `look` to see
        return True

    def _look_ahead(self) -> None:
        """No request is whole: what is it that is here?"""
        if self._requests.uncommon:
            self._lend()
        elif self._requests.reading is not None:
            self._read_on(self._requests.reading)
        elif not self._timed and self._requests.held.lstrip(b"\r\n"):  # empty lines begin no head
            self._timed = True
            self._by(self._head_due())

    def _read_on(self, head: FastHead) -> None:
        """More has come of a body that is not whole."""
        received = self._requests.received
        fits = self._pace is not None or self._share.fits(self._requests.announced)
        if self._pace is None:
            self._pace = Pace(self._limits, now := self._loop.time())
            self._by(self._pace.due(received, now))
        if not fits or not self._share.grow(received):
            self._refuse(head, self._share.refused())

    def _refuse(self, head: FastHead, wrong: Exception) -> None:
        """Answer a request whose body is not had."""
        writer = Http11Writer(self, self._owner.clock, http10=False, bodiless=False, keep_alive=False)
        self._answer(RefusedRequest(head, writer, wrong), writer)

    def _lend(self) -> None:
        self._timer.cancel()
        if self._ahead_is_full:
            self._transport.resume_reading()
        lent = self._lent = self._owner.lend(self._due if self._timed else self._head_due())
        lent.connection_made(self._transport)
        held, self._requests.held = self._requests.held, b""
        lent.data_received(held)

    def _late(self) -> None:
        """Show out who is late. Armed anew only when it fires, because requests are many."""
        now = self._loop.time()
        if now < self._due:
            self._again(self._due, now)
        elif self._requests.reading is not None and self._pace is not None:
            received = self._requests.received
            if now < (due := self._pace.due(received, now)):
                self._again(due, now)
            else:
                self._limits.reached(self._pace.reached(received))
                self._refuse(self._requests.reading, TooLateError("the request body did not come in time"))
        else:
            if self._timed:  # else what has come is no head, but empty lines at most
                self._limits.reached(Limit.HEAD_SECONDS)
                wrong = TooLateError("the request's head did not come in time")
                self._owner.refuse(unheard(self, self._owner.clock, self._requests.held, wrong), wrong)
            self.close()
