"""One connection to an engine, and the answer that is coming over it.

The body goes to its reader's function as soon as it is here (`pour`), without a task in between, or is held, within
bounds, until somebody reads (`read`). Knows no pool and no second try; `lean_upstream` owns both.
"""

import asyncio
from collections.abc import AsyncIterable
from typing import Final, Protocol, cast

from . import chunks
from .errand import Bell
from .lean_flow import Flow
from .lean_framing import MalformedAnswer
from .lean_request import Place
from .lean_response import AnswerReader
from .lean_silence import Silence
from .upstream import AnswerHead, BrokenMidStream, ClosedBeforeFirstByte, Enough, Receiver, told

_HELD_BYTES: Final = 256 * 1024
"""A body that nobody reads is held up to about this size; then the engine is made to wait."""
_JOINED_BYTES: Final = 64 * 1024
"""A body up to this size is sent in one piece with its head."""
_STALE_SECONDS: Final = 0.1
"""A kept connection that had been closed before the request says so within a round trip; what ends later had it."""
_BREAKS: Final = (OSError, EOFError, MalformedAnswer)
"""What ends an answer early, as opposed to what its reader raises."""


class Owner(Protocol):
    """Who keeps connections between answers: told when one can be used again, and when one is closed."""

    def returned(self, connection: "Connection") -> None: ...  # noqa: D102
    def fell_silent(self) -> None: ...  # noqa: D102
    def gone(self, connection: "Connection") -> None: ...  # noqa: D102


class Connection:
    """Implements `upstream.UpstreamResponse` for one answer after another, and the methods of asyncio.Protocol.

    It does not inherit those: a compiled class with a base in Python has no attributes in C.
    """

    head: AnswerHead

    def __init__(self, owner: Owner, place: Place, read_timeout: float) -> None:
        """`read_timeout` bounds the silence of a busy engine, in seconds."""
        self.place = place
        self.lost = False
        self.behalf: object = None
        """Whose request it is busy with."""
        self._silent = False
        self._loop = asyncio.get_running_loop()
        self._owner = owner
        self._read_timeout = read_timeout
        self._answer = AnswerReader()
        self._silence = Silence(self._loop, read_timeout, self._fell_silent)
        self._busy = False
        self._full = False
        self._enough = False
        self._lingers = False
        """Whether the engine is only given time to end a body of which nobody needs more."""
        self._into: Receiver | None = None
        self._bell = Bell(self._loop)
        self._error: BaseException | None = None

    # What its owner does.

    async def ask(
        self, head: bytes, body: bytes | AsyncIterable[bytes] | None, behalf: object, *, only_head: bool
    ) -> None:
        """Send a request and wait for the head of its answer. Raises ClosedBeforeFirstByte; it is closed then."""
        if self.lost:
            raise ClosedBeforeFirstByte("the engine closed the connection")
        answer = self._answer
        answer.expect(only_head=only_head)
        self._busy, self._enough = True, False
        self.behalf = behalf
        self._silence.begin()
        try:
            if body is None:
                self._transport.write(head)
            elif not isinstance(body, bytes):
                self._transport.write(head)
                await self._send(body)
            elif len(body) > _JOINED_BYTES:
                self._transport.writelines((head, body))
            else:
                self._transport.write(head + body)
            while answer.head is None and self._error is None:
                await self._bell
            if self._error is not None:
                raise ClosedBeforeFirstByte(told(self._error)) from self._error
        except BaseException:
            self.abort()
            raise
        assert answer.head is not None
        self.head = answer.head
        self._silence.answering = True

    async def _send(self, body: AsyncIterable[bytes]) -> None:
        """Send a body piece by piece, until it ends or the engine has said all without waiting for it."""
        async for piece in body:
            if piece:
                self._transport.write(chunks.framed(piece))
                self._silence.begin()
            while self._full and not self._settled:
                await self._bell
            if self._settled:
                self._answer.lasting = False
                return
        self._transport.write(chunks.LAST)

    @property
    def idle_seconds(self) -> float:
        """Since anything was heard of the engine, or said to it."""
        return self._loop.time() - self._silence.heard

    @property
    def stale(self) -> bool:
        """Whether it ended at once and without having said anything: its engine had closed it before the request came.

        To be asked in the moment in which it ended.
        """
        if self._error is None or self._silent or not self._answer.untouched:
            return False
        return self._loop.time() - self._silence.heard < _STALE_SECONDS

    def quiet(self, now: float) -> float:
        """For how many seconds nothing has come of the answer that it waits for; 0 when it waits for none."""
        waited_for = self._busy and not self._lingers and not self._answer.ended
        return self._silence.lasts(now) if waited_for else 0.0

    def give_up(self, behalf: object, why: str) -> None:
        """Break the answer that somebody waits for: there is a better place. To be called in no task."""
        if self.behalf is behalf and self._busy and not self._answer.ended:
            self._silent = True
            self._fail(TimeoutError(why))

    @property
    def _settled(self) -> bool:
        """Whether the answer's head is here, or will never be."""
        return self._answer.head is not None or self._error is not None

    # What the reader of an answer does: `upstream.UpstreamResponse`.

    @property
    def whole(self) -> bool:
        """See `upstream.UpstreamResponse`."""
        return self._answer.ended

    @property
    def framed(self) -> bool:
        """See `upstream.UpstreamResponse`."""
        return self._answer.framed

    def taken(self) -> bytes:
        """See `upstream.UpstreamResponse`."""
        return self._answer.taken()

    async def read(self, limit: int) -> bytes:
        """See `upstream.UpstreamResponse`."""
        parts: list[bytes] = []
        size = 0
        while True:
            if self._answer.parts:
                parts.append(self._answer.taken())
                size += len(parts[-1])
                self._flow.unread(False, ended=self._answer.ended)
            if self._answer.ended or size > limit:
                return parts[0] if len(parts) == 1 else b"".join(parts)
            if self._error is not None:
                raise BrokenMidStream(told(self._error)) from self._error
            await self._bell

    async def pour(self, into: Receiver) -> None:
        """See `upstream.UpstreamResponse`."""
        if self._answer.parts:
            try:
                into.take(self._answer.taken(), None)
            except Enough:
                self._enough = True
        self._flow.unread(False, ended=self._answer.ended)
        self._into = into
        try:
            while not self._answer.ended and not self._enough and self._error is None:
                await self._bell
        finally:
            self._into = None
        if self._enough:
            return
        if isinstance(self._error, _BREAKS):
            raise BrokenMidStream(told(self._error)) from self._error
        if self._error is not None:
            raise self._error

    def pause(self) -> None:
        """See `upstream.UpstreamResponse`."""
        self._flow.full(True, ended=self._answer.ended)

    def resume(self) -> None:
        """See `upstream.UpstreamResponse`."""
        self._flow.full(False, ended=self._answer.ended)

    def release(self) -> None:
        """See `upstream.UpstreamResponse`."""
        if not self._busy:
            return
        answer, self.behalf = self._answer, None
        sound = answer.lasting and self._error is None and not self.lost and not self._transport.get_write_buffer_size()
        if sound and answer.ended:
            self._busy = self._lingers = False
            self._flow.free()
            self._silence.heard = self._loop.time()
            self._owner.returned(self)
        elif sound and self._enough and not answer.parts:
            self._lingers = True
            self._flow.free()
        else:
            self.abort()

    def look(self) -> None:
        """Once in a while: end what goes on though nothing is left to be said."""
        into = self._into
        if not (self._lingers or into is not None) or not self._silence.is_quiet():
            return
        if into is None:
            self.abort()
        elif into.finished():
            self._enough, self._answer.lasting = True, False
            self._bell.ring()

    def abort(self) -> None:
        """See `upstream.UpstreamResponse`."""
        self._busy = False
        self.behalf = None
        if not self.lost:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self._flow = Flow(self._transport, self._silence)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        answer, into = self._answer, self._into
        self._silence.spoken = True
        if into is not None and (begin := answer.one_chunk(data)):
            try:
                into.take_chunk(data, begin)
            except Enough:
                self._enough, self._into = True, None
                self._bell.ring()
            except Exception as error:
                self._fail(error)
            return
        if not self._busy:  # an engine that speaks unasked
            self._transport.abort()
            return
        between = answer.between and into is not None
        if between:
            body, framed, data = answer.whole_chunks(data)
            if body:
                self._give(body, framed)
            if self._error is not None:
                return
            if not data:
                if self._enough:
                    self._bell.ring()
                return
        malformed: MalformedAnswer | None = None
        try:
            if between:
                answer.parse(data)
            else:
                answer.feed(data)
        except MalformedAnswer as fault:
            malformed = fault
        if answer.parts and self._into is not None:
            self._give(answer.taken(), None)
        elif answer.parts and not answer.ended and sum(map(len, answer.parts)) > _HELD_BYTES:
            self._flow.unread(True, ended=False)
        if malformed is not None:
            self._fail(malformed)
        elif self._lingers:
            self._left_alone()
        elif self._into is None or answer.ended:
            self._bell.ring()

    def _give(self, body: bytes, framed: bytes | None) -> None:
        into = self._into
        assert into is not None
        try:
            into.take(body, framed)
        except Enough:
            self._enough, self._into = True, None
        except Exception as error:
            self._fail(error)

    def _left_alone(self) -> None:
        """Something has come of a body of which nobody needs more: it may be its end."""
        if self._answer.parts:
            self.abort()
        elif self._answer.ended:
            self.release()

    def eof_received(self) -> None:
        """See asyncio.Protocol. The transport closes itself."""

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._full = True

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._full = False
        self._bell.ring()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.lost = True
        self._flow.end()
        self._silence.end()
        try:
            self._answer.spill()
            if exc is not None and not self._answer.ended:
                raise exc
            self._answer.end()
        except _BREAKS as error:
            if self._answer.parts and self._into is not None and self._error is None:
                self._give(self._answer.taken(), None)
            self._error = self._error or error
        self._answer.forget()
        self._owner.gone(self)
        self._bell.ring()

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self._transport.abort()
        self._bell.ring()

    def _fell_silent(self) -> None:
        if self._busy and not self._answer.ended:
            self._silent = True
            self._owner.fell_silent()
            self._fail(TimeoutError(f"silent for {self._read_timeout:g} s"))
