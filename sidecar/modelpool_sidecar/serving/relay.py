"""Answers on their way to the caller. Nothing is sent before there is something to send: so long, others may try."""

import asyncio
from collections.abc import Callable
from typing import Final

from ..dialects.answer import Answer
from ..http import chunked, headers
from ..http.client.connection import ClientConnection
from ..http.client.errors import BrokenMidStream
from ..http.client.response import Receiver
from ..routing.health import Failure
from . import forwarded_headers
from .context import RequestContext
from .transforms import Transform

_STREAM_LINE: Final = b"X-Accel-Buffering: no\r\n"


class Whole:
    """A complete answer in the caller's dialect. Read-only."""

    __slots__ = ("body", "lines", "status")

    def __init__(self, *, status: int, lines: bytes, body: bytes) -> None:
        self.status = status
        self.lines = lines
        """Its headers, as `headers.lines` writes them; ours come on top."""
        self.body = body


def answer(context: RequestContext, ours: Answer) -> None:
    """Send what the gateway itself says."""
    whole(context, written(ours))


def written(ours: Answer) -> Whole:
    """An Answer with its headers written out."""
    kind = [("Content-Type", ours.content_type)] if ours.content_type else []
    return Whole(status=ours.status, lines=headers.lines((*kind, *ours.headers)), body=ours.body)


def whole(context: RequestContext, given: Whole) -> None:
    """Send a complete answer with its length."""
    status, body = given.status, given.body
    context.status, context.sent = status, len(body)
    context.began()
    context.request.writer.whole(status, context.lines(given.lines), body)


async def stream(
    context: RequestContext,
    response: ClientConnection,
    transform: Transform,
    *,
    lines: bytes | None = None,
    begun: bytes = b"",
    cut_off: bool = True,
) -> Failure | None:
    """Send a stream as it comes; how it failed, if it did. Raises EngineError or BrokenMidStream as long as nothing has
    been sent.

    `lines`: header lines in place of the engine's own. `begun`: what of the body has been read already. `cut_off`: a
    broken stream ends without a proper end of the body, for callers that read no error events.

    Cancelled because its time is up (`back.ending`), a stream ends as one that broke.
    """
    writer = context.request.writer
    relay = _Relay(context, response, transform, lines)
    broken = False
    stopped: asyncio.CancelledError | None = None
    writer.draws_from(response)
    try:
        if begun:
            relay.take(begun, None)
        await response.pour(relay)
        rest = transform.close()
    except BrokenMidStream as error:
        if not writer.begun:
            raise
        context.error, broken = str(error), True
        rest = transform.cut()
    except asyncio.CancelledError as cancelled:
        if not (writer.ending and writer.begun):
            raise
        context.error, broken, stopped = writer.why, True, cancelled
        rest = transform.cut(writer.why)
    finally:
        writer.draws_from(None)
        transform.let_go()
        relay.settle()
    if transform.failed:
        context.error = context.error or "the engine's answer ended with an error"
        response.abort()  # else it would go on with what nobody reads
    if rest:
        relay.send(rest, None)
        relay.settle()
    if not writer.begun:
        relay.begin()
    if (broken or transform.failed) and cut_off:
        writer.cut_off()
    else:
        writer.end()
    if stopped is not None:
        raise stopped
    if broken:
        return Failure.CLOSED
    return Failure.FAULT if transform.faulty else None


class _Relay(Receiver):
    """The pieces of one stream, on their way from the engine to the caller."""

    __slots__ = ("_context", "_lines", "_passed", "_response", "_transform", "_write", "_writer")

    def __init__(
        self, context: RequestContext, response: ClientConnection, transform: Transform, lines: bytes | None
    ) -> None:
        self._context = context
        self._writer = context.request.writer
        self._response = response
        self._transform = transform
        self._lines = lines
        self._write: Callable[[bytes], None] | None = None
        """What sends chunks as they are, once the head is out; None where pieces are no chunks."""
        self._passed = 0

    def take_chunk(self, chunk: bytes, begin: int) -> None:
        """See `response.Receiver`. The shortest way that there is, for what nearly all chunks of most streams are."""
        write = self._write
        if write is not None and self._transform.passes(chunk, begin):
            self._passed += len(chunk) - begin - 2
            write(chunk)
        else:
            self.take(chunk[begin:-2], chunk)

    def take(self, piece: bytes, framed: bytes | None) -> None:
        """See `response.Receiver`. Raises EngineError while nothing has been sent."""
        data = self._transform.feed(piece)
        if data:
            self.send(data, framed if data is piece else None)

    def send(self, data: bytes, framed: bytes | None) -> None:
        """Send what is not empty, behind the head if that has not gone out."""
        self._passed += len(data)
        if self._write is not None:
            self._write(chunked.framed(data) if framed is None else framed)
            return
        if not self._writer.begun:
            self.begin()
        self._writer.write(data)
        self._write = self._writer.chunk_writer()

    def finished(self) -> bool:
        """See `response.Receiver`."""
        return self._transform.finished()

    def settle(self) -> None:
        """Note how much has been sent."""
        self._context.sent += self._passed
        self._passed = 0

    def begin(self) -> None:
        """Say what the engine said of its answer."""
        head = self._response.head
        context = self._context
        context.status = head.status
        context.began()
        kept = self._lines if self._lines is not None else head.kept or forwarded_headers.kept(head)
        self._writer.begin(head.status, context.lines(kept) + _STREAM_LINE)
