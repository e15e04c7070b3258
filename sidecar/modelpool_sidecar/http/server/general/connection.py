"""A connection on which something is not common: requests in, one after another, until it ends.

The answers go over the connection that was lent. A body is waited for when it is small. A larger one, and one whose
caller waits to be told to go on, is read by whoever answers: so that what the head alone forbids is refused before the
body is sent. Where a body was not read to its end the connection ends with the answer.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from ...errors import BadRequestError, TooLateError
from ...inline_task import InlineTask, Waker
from ...limits import Limit
from ..body_deadline import Pace
from ..body_memory import Share
from ..connection_owner import ConnectionOwner
from ..response_writer import Http11Writer
from .body import AHEAD_BYTES, IncomingBody
from .framing import Chunked, Counted
from .head import GeneralHead, HeadReader, refused
from .input import GeneralInput
from .request import GeneralRequest


class GeneralConnection(GeneralInput):
    """Implements asyncio.Protocol without inheriting it: see `connection.ClientConnection`."""

    def __init__(self, owner: ConnectionOwner, due: float, left: Callable[["GeneralConnection"], None]) -> None:
        """`due`: see `GeneralInput`. `left` hears that the connection is closed."""
        super().__init__(owner, due)
        self._left = left
        self._running = InlineTask(owner.group)
        self._reader = HeadReader()
        self._share = Share(owner.bodies)
        self._gathering = False
        """Whether its small body is waited for, of which this is enough, and nobody answers it yet."""
        self._enough = 0

    def leave(self) -> None:
        """Close after the answer that is being given, or at once."""
        self._leaving = True
        if self.over or (self._request is None and not self._is_next):
            self._transport.close()

    def end(self) -> None:
        """Have the answer that is being given end now, whole or not, and close."""
        if self._request is None:
            self._transport.abort()
        elif self._gathering:
            self._gathering = False
            self._refuse(BadRequestError(self.why, status=503))
        else:
            self._running.cancel()

    # What the event loop says: asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self.use(cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._later:
            self._later += data
        else:
            self._received(data)

    def _received(self, data: bytes) -> None:
        body = self._body
        if self.over:
            return
        if body is not None and body.coming:
            data = self._fed(body, data)
            if not self._gathering:
                body.waker.wake()
            elif body.received >= self._enough or not body.coming:
                self._gathering = False
                self._answer()
        if data and not self.over:
            self._follow(data)
        self._bound()

    def _follow(self, data: bytes) -> None:
        """Take what belongs to no request that was taken."""
        self._held = self._held + data
        if self._request is None:
            self._begins(data)
            self._advance()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._further()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.lose(exc)
        self._timer.cancel()
        self._reader.forget()
        self._running.cancel()
        self._share.let_go()
        if not self._running.runs:
            self._forget()
        self._left(self)

    # Requests.

    def take_turn(self) -> None:
        """Take up a request that was sent ahead: see `pipelining.Waiting`."""
        self._in_line = False
        self._advance()

    def _advance(self) -> None:
        """Take up the next request, if it is here and the caller reads. Those behind it wait for their turn."""
        if self._request is None and not self._lost and not self._in_line and not self._line.full and self._take():
            self._further()

    def _further(self) -> None:
        """Have a turn later, if there may be a further request."""
        if self._held and self._request is None and not self._in_line:
            self._in_line = True
            self._owner.turns.join(self)

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
        self._body = body = None if framing is None else IncomingBody(framing, self, Waker(self._loop))
        self._pace = Pace(self._owner.limits, self._loop.time())
        self._waits = asked.waits
        self._greet(asked)
        if asked.fault is not None:
            self._refuse(asked.fault)
            return False
        self._timer.cancel()
        self._held = held if body is None else self._fed(body, held)
        if body is None or not body.full:
            self._resume()
        else:
            self._bound()
        if body is None or not body.coming or asked.waits:
            return self._answer()
        self._enough = min(AHEAD_BYTES, self._owner.limits.max_body_bytes + 1)
        if body.received >= self._enough or self._hopeless(asked.length):
            self._watch()
            return self._answer()
        self._gathering = True
        self._watch()
        return False

    def _hopeless(self, length: int) -> bool:
        """Whether a body will be refused that is as long as announced."""
        return length > self._owner.limits.max_body_bytes or not self._share.fits(length)

    def _greet(self, asked: GeneralHead) -> None:
        """Somebody is here."""
        writer = Http11Writer(
            self, self._owner.clock, http10=asked.http10, bodiless=asked.bodiless, keep_alive=asked.keep_alive
        )
        self._request = GeneralRequest(asked, writer, self._body, self._owner.limits, self._share)

    def _answer(self) -> bool:
        """Have the request answered. Returns whether another can follow at once."""
        request, body = self._request, self._body
        assert request is not None
        if body is not None and body.fault is not None:
            self._refuse(body.fault)
            return False
        most = self._owner.limits.max_body_bytes
        if body is not None and body.ended and not request.coded and body.received <= most:
            if not self._share.grow(body.received):
                self._refuse(self._share.refused())
                return False
            request.body = body.take()
        return self._running.begin(self._owner.answer(request), self._answered) and self._finish()

    def _answered(self) -> None:
        """The request that was waited for has been answered."""
        if self._finish():
            self._advance()

    def _finish(self) -> bool:
        """End with a request; whether there can be another."""
        request, fault = self._request, self._running.fault
        assert request is not None
        self._line.draws_from(None)
        self._share.let_go()
        if fault is not None:
            self._owner.failed(request.writer, fault)
        if self._lost or self._leaving or not request.writer.keep_alive:
            self.close()
            if self._lost:
                self._forget()
            return False
        self._forget()
        self._resume()
        self._timed = bool(self._held.strip(b"\r\n"))
        limits = self._owner.limits
        self._by(self._loop.time() + (limits.head_timeout if self._timed else limits.idle_timeout))
        return True

    def _refuse(self, wrong: Exception) -> None:
        """Say why not, for the last time."""
        request = self._request
        assert request is not None
        request.writer.keep_alive = False
        self._refused = True
        self._owner.refuse(request, wrong)
        self._share.let_go()

    # Time.

    def _look(self) -> None:
        """Somebody may be late."""
        request, body = self._request, self._body
        if self.over:
            return
        if request is None and self._is_next:
            self._by(self._loop.time() + self._owner.limits.head_timeout)
        elif request is None:
            self._reader.forget()
            if not self._held:
                self._transport.close()
                return
            self._owner.limits.reached(Limit.HEAD_SECONDS)
            self._greet(refused(self._held))
            self._refuse(TooLateError("the request's head did not come in time"))
        elif body is not None and body.coming and not self._waits:
            now = self._loop.time()
            self._pace.bounded = not request.streams
            if now < (due := self._pace.due(body.received, now)):
                self._by(due)
            else:
                self._is_late(body)

    def _is_late(self, body: IncomingBody) -> None:
        self._owner.limits.reached(self._pace.reached(body.received))
        body.fail(TooLateError("the request body did not come in time"))
        if self._gathering:
            self._gathering = False
            self._answer()
        else:
            body.waker.wake()
