"""A question to an engine over one connection, until the head of the answer is here, or it is known that none comes.

What is common to asking and to reading the answer is here, too: `connection` goes on from it.
"""

import asyncio
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Final, Protocol

from .. import chunked
from ..inline_task import Waker
from .errors import ClosedBeforeFirstByte, described
from .read_timeout import ReadTimeout
from .request import Origin
from .response import ResponseHead
from .response_parser import ResponseParser

if TYPE_CHECKING:
    from .connection import ClientConnection

_JOINED_BYTES: Final = 64 * 1024
"""A body up to this size is sent in one piece with its head."""
_STALE_SECONDS: Final = 0.1
"""A kept connection that had been closed before the request says so within a round trip; what ends later had it."""


class PoolOwner(Protocol):
    """Who keeps connections between answers: told when one can be used again, and when one is closed."""

    def returned(self, connection: "ClientConnection") -> None: ...  # noqa: D102
    def fell_silent(self) -> None: ...  # noqa: D102
    def gone(self, connection: "ClientConnection") -> None: ...  # noqa: D102


class RequestSender:
    """One connection, as far as its owner sees it. It has its transport from `connection_made` on."""

    _transport: asyncio.Transport
    head: ResponseHead

    def __init__(self, owner: PoolOwner, place: Origin, read_timeout: float) -> None:
        """`read_timeout` bounds the silence of a busy engine, in seconds."""
        self.place = place
        self.lost = False
        self.behalf: object = None
        """Whose request it is busy with."""
        self._silent = False
        self._loop = asyncio.get_running_loop()
        self._owner = owner
        self._read_timeout = read_timeout
        self._answer = ResponseParser()
        self._silence = ReadTimeout(self._loop, read_timeout, self._fell_silent)
        self._busy = False
        self._full = False
        self._enough = False
        self._lingers = False
        """Whether the engine is only given time to end a body of which nobody needs more."""
        self._waker = Waker(self._loop)
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
                await self._waker
            if self._error is not None:
                raise ClosedBeforeFirstByte(described(self._error)) from self._error
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
                self._transport.write(chunked.framed(piece))
                self._silence.begin()
            while self._full and not self._settled:
                await self._waker
            if self._settled:
                self._answer.keep_alive = False
                return
        self._transport.write(chunked.LAST)

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

    def abort(self) -> None:
        """Close the connection at once, so that the engine stops generating."""
        self._busy = False
        self.behalf = None
        if not self.lost:
            self._transport.abort()

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self._transport.abort()
        self._waker.wake()

    def _fell_silent(self) -> None:
        if self._busy and not self._answer.ended:
            self._silent = True
            self._owner.fell_silent()
            self._fail(TimeoutError(f"silent for {self._read_timeout:g} s"))
