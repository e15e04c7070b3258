"""Answers on their way to the caller. Nothing is sent before there is something to send: so long, others may try."""

import asyncio
from collections.abc import Callable
from typing import Final

from ..dialects.answer import Answer
from ..http import chunked, headers
from ..http.client.response import BrokenMidStream, ClientResponse, Receiver
from .context import RequestContext
from .failures import Failure
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


def answer(visit: RequestContext, ours: Answer) -> None:
    """Send what the gateway itself says."""
    whole(visit, written(ours))


def written(ours: Answer) -> Whole:
    """An Answer with its headers written out."""
    kind = [("Content-Type", ours.content_type)] if ours.content_type else []
    return Whole(status=ours.status, lines=headers.lines((*kind, *ours.headers)), body=ours.body)


def whole(visit: RequestContext, given: Whole) -> None:
    """Send a complete answer with its length."""
    status, body = given.status, given.body
    visit.status, visit.sent = status, len(body)
    visit.began()
    visit.visitor.back.whole(status, visit.lines(given.lines), body)


async def stream(
    visit: RequestContext,
    response: ClientResponse,
    carrier: Transform,
    *,
    told: bytes | None = None,
    begun: bytes = b"",
    cut_off: bool = True,
) -> Failure | None:
    """Send a stream as it comes; how it failed, if it did. Raises EngineError or BrokenMidStream as long as nothing has
    been sent.

    `told`: header lines in place of the engine's own. `begun`: what of the body has been read already. `cut_off`: a
    broken stream ends without a proper end of the body, for callers that read no error events.

    Cancelled because its time is up (`back.ending`), a stream ends as one that broke.
    """
    back = visit.visitor.back
    relay = _Relay(visit, response, carrier, told)
    broken = False
    stopped: asyncio.CancelledError | None = None
    back.draws_from(response)
    try:
        if begun:
            relay.take(begun, None)
        await response.pour(relay)
        rest = carrier.close()
    except BrokenMidStream as error:
        if not back.begun:
            raise
        visit.error, broken = str(error), True
        rest = carrier.cut()
    except asyncio.CancelledError as cancelled:
        if not (back.ending and back.begun):
            raise
        visit.error, broken, stopped = back.why, True, cancelled
        rest = carrier.cut(back.why)
    finally:
        back.draws_from(None)
        carrier.let_go()
        relay.settle()
    if carrier.failed:
        visit.error = visit.error or "the engine's answer ended with an error"
        response.abort()  # else it would go on with what nobody reads
    if rest:
        relay.send(rest, None)
        relay.settle()
    if not back.begun:
        relay.begin()
    if (broken or carrier.failed) and cut_off:
        back.cut_off()
    else:
        back.end()
    if stopped is not None:
        raise stopped
    if broken:
        return Failure.CLOSED
    return Failure.FAULT if carrier.faulty else None


class _Relay(Receiver):
    """The pieces of one stream, on their way from the engine to the caller."""

    __slots__ = ("_back", "_carrier", "_passed", "_response", "_told", "_visit", "_write")

    def __init__(self, visit: RequestContext, response: ClientResponse, carrier: Transform, told: bytes | None) -> None:
        self._visit = visit
        self._back = visit.visitor.back
        self._response = response
        self._carrier = carrier
        self._told = told
        self._write: Callable[[bytes], None] | None = None
        """What sends chunks as they are, once the head is out; None where pieces are no chunks."""
        self._passed = 0

    def take_chunk(self, chunk: bytes, begin: int) -> None:
        """See `response.Receiver`. The shortest way that there is, for what nearly all chunks of most streams are."""
        write = self._write
        if write is not None and self._carrier.passes(chunk, begin):
            self._passed += len(chunk) - begin - 2
            write(chunk)
        else:
            self.take(chunk[begin:-2], chunk)

    def take(self, piece: bytes, framed: bytes | None) -> None:
        """See `response.Receiver`. Raises EngineError while nothing has been sent."""
        data = self._carrier.feed(piece)
        if data:
            self.send(data, framed if data is piece else None)

    def send(self, data: bytes, framed: bytes | None) -> None:
        """Send what is not empty, behind the head if that has not gone out."""
        self._passed += len(data)
        if self._write is not None:
            self._write(chunked.framed(data) if framed is None else framed)
            return
        if not self._back.begun:
            self.begin()
        self._back.write(data)
        self._write = self._back.writer()

    def finished(self) -> bool:
        """See `response.Receiver`."""
        return self._carrier.finished()

    def settle(self) -> None:
        """Note how much has been sent."""
        self._visit.sent += self._passed
        self._passed = 0

    def begin(self) -> None:
        """Say what the engine said of its answer."""
        head = self._response.head
        visit = self._visit
        visit.status = head.status
        visit.began()
        kept = head.lines if self._told is None else self._told
        self._back.begin(head.status, visit.lines(kept) + _STREAM_LINE)
