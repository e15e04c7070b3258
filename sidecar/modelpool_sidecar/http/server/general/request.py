"""A request of which something is not common. Its body is read only when somebody wants it, inflated and counted."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from ...errors import TooLargeError
from ...inline_task import in_task
from ...limits import Limit, Limits
from ..body_memory import Share
from ..request import RequestHead
from ..request_reader import Once
from ..response_writer import ResponseWriter
from . import inflating
from .body import IncomingBody
from .head import GeneralHead

_TURN_BYTES: Final = 1024 * 1024
"""How much is inflated before others have their turn."""


class GeneralRequest:
    """Implements `request.ServerRequest`."""

    __slots__ = ("_asked", "_incoming", "_limits", "_share", "body", "head", "streams", "writer")

    def __init__(
        self, asked: GeneralHead, writer: ResponseWriter, incoming: IncomingBody | None, limits: Limits, share: Share
    ) -> None:
        self._asked = asked
        self._incoming = incoming
        self._limits = limits
        self._share = share
        self.head: RequestHead = asked.head
        self.writer = writer
        self.body: bytes | None = b"" if incoming is None else None
        """See `request.ServerRequest`."""
        self.streams = False
        """Whether the body goes on as it comes."""

    @property
    def coded(self) -> bool:
        """Whether the body is compressed."""
        return bool(self._asked.coding)

    async def read(self) -> bytes:
        """See `request.ServerRequest`."""
        incoming = self._incoming
        if incoming is None or self.body is not None:
            return self.body or b""
        announced = incoming.framing.announced
        if announced > self._limits.max_body_bytes:
            raise self._too_large()
        if not self._share.fits(announced):
            raise self._share.refused()
        inflating = _Inflating(self._asked.coding) if self._asked.coding else None
        whole = bytearray()
        while piece := await (incoming.more() if inflating is None else inflating.more(incoming)):
            whole += piece
            if len(whole) > self._limits.max_body_bytes or incoming.received > self._limits.max_body_bytes:
                raise self._too_large()
            if not self._share.grow(len(whole)):
                raise self._share.refused()
        return bytes(whole)

    def pieces(self) -> AsyncIterator[bytes] | None:
        """See `request.ServerRequest`."""
        if self.body is not None:
            return Once(self.body) if self.body else None
        assert self._incoming is not None
        self.streams = True
        return _Pieces(self._incoming, self._asked.coding)

    def _too_large(self) -> TooLargeError:
        self._limits.reached(Limit.BODY_BYTES)
        return TooLargeError(f"the request body is larger than {self._limits.max_body_bytes} bytes")


class _Inflating:
    """Inflates a body while it comes. Others have their turns in between: a small piece may become a large one."""

    __slots__ = ("_done", "_inflater", "_since")

    def __init__(self, coding: str) -> None:
        self._inflater = inflating.of(coding)
        self._since = 0
        self._done = False

    async def more(self, incoming: IncomingBody) -> bytes:
        """The next piece, nothing at the end."""
        inflater = self._inflater
        while not self._done:
            if inflater.more:
                out = inflater.feed(b"")
            elif piece := await incoming.more():
                out = inflater.feed(piece)
            else:
                inflater.end()
                self._done = True
                break
            self._since += max(len(out), 1024)  # members may be empty, and many
            if self._since >= _TURN_BYTES:
                self._since = 0
                await in_task()
                await asyncio.sleep(0)
            if out:
                return out
        return b""


class _Pieces:
    """A body as it comes."""

    def __init__(self, incoming: IncomingBody, coding: str) -> None:
        self._incoming = incoming
        self._inflating = _Inflating(coding) if coding else None

    def __aiter__(self) -> "_Pieces":
        return self

    async def __anext__(self) -> bytes:
        inflating = self._inflating
        piece = await (self._incoming.more() if inflating is None else inflating.more(self._incoming))
        if not piece:
            raise StopAsyncIteration
        return piece
