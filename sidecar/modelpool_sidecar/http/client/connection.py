"""One connection to an engine, and the answer that is coming over it.

The body goes to its reader's function as soon as it is here (`pour`), without a task in between, or is held, within
bounds, until somebody reads (`read`). Knows no pool and no second try; `pool` owns both.
"""

import asyncio
from typing import Final, cast

from .errors import BrokenMidStream, described
from .read_timeout import ReadPausing
from .request_sender import Origin, PoolOwner, RequestSender
from .response import Enough, Receiver
from .response_framing import MalformedResponse

_HELD_BYTES: Final = 256 * 1024
"""A body that nobody reads is held up to about this size; then the engine is made to wait."""
_TURN_BYTES: Final = 128 * 1024
"""Of whoever sends more than this at once, no more is taken before others have had their turn: libuv reads again in the
same turn only when a read has filled its buffer, which is 250 KB."""
_BREAKS: Final = (OSError, EOFError, MalformedResponse)
"""What ends an answer early, as opposed to what its reader raises."""


class ClientConnection(RequestSender):
    """One answer after another. Implements asyncio.Protocol by its methods.

    It does not inherit those: a compiled class with a base in Python has no attributes in C.
    """

    def __init__(self, owner: PoolOwner, place: Origin, read_timeout: float) -> None:
        """`read_timeout` bounds the silence of a busy engine, in seconds."""
        super().__init__(owner, place, read_timeout)
        self._into: Receiver | None = None

    # What the reader of an answer does.

    @property
    def whole(self) -> bool:
        """Whether all of the body has come."""
        return self._answer.ended

    @property
    def framed(self) -> bool:
        """Whether the head says where the body ends. Else its connection's end ends it, and may have come too early."""
        return self._answer.framed

    def taken(self) -> bytes:
        """What has come of the body and was not read yet."""
        return self._answer.taken()

    async def read(self, limit: int) -> bytes:
        """The body when it is whole, or what has come of it when that is more than `limit` bytes: see `whole`.

        Raises BrokenMidStream.
        """
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
                raise BrokenMidStream(described(self._error)) from self._error
            await self._waker

    async def pour(self, into: Receiver) -> None:
        """Give the body away, piece by piece, in the moment it arrives, and return at its end, or at its receiver's.

        Raises BrokenMidStream, and what the receiver raises.
        """
        if self._answer.parts:
            try:
                into.take(self._answer.taken(), None)
            except Enough:
                self._enough = True
        self._flow.unread(False, ended=self._answer.ended)
        self._into = into
        try:
            while not self._answer.ended and not self._enough and self._error is None:
                await self._waker
        finally:
            self._into = None
        if self._enough:
            return
        if isinstance(self._error, _BREAKS):
            raise BrokenMidStream(described(self._error)) from self._error
        if self._error is not None:
            raise self._error

    def pause(self) -> None:
        """The body's taker is full: take no more from the engine until `resume`."""
        self._flow.full(True, ended=self._answer.ended)

    def resume(self) -> None:
        """The body's taker has room again."""
        self._flow.full(False, ended=self._answer.ended)

    def release(self) -> None:
        """Give the connection back after the body was read to its end; otherwise the same as `abort`.

        After the receiver had `Enough`, the engine has a moment left to end the body.
        """
        if not self._busy:
            return
        answer, self.behalf = self._answer, None
        sound = (
            answer.keep_alive and self._error is None and not self.lost and not self._transport.get_write_buffer_size()
        )
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
            self._enough, self._answer.keep_alive = True, False
            self._waker.wake()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self._flow = ReadPausing(self._transport, self._silence)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        answer, into = self._answer, self._into
        self._silence.spoken = True
        if into is not None and (begin := answer.one_chunk(data)):
            try:
                into.take_chunk(data, begin)
            except Enough:
                self._enough, self._into = True, None
                self._waker.wake()
            except Exception as error:
                self._fail(error)
            return
        if not self._busy:  # an engine that speaks unasked
            self._transport.abort()
            return
        if len(data) > _TURN_BYTES:
            self._flow.yield_turn()
        between = answer.between and into is not None
        if between:
            body, framed, data = answer.whole_chunks(data)
            if body:
                self._give(body, framed)
            if self._error is not None:
                return
            if not data:
                if self._enough:
                    self._waker.wake()
                return
        malformed: MalformedResponse | None = None
        try:
            if between:
                answer.parse(data)
            else:
                answer.feed(data)
        except MalformedResponse as fault:
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
            self._waker.wake()

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
        self._waker.wake()

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
        self._waker.wake()
