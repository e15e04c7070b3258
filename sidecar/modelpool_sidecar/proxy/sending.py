"""Answers on their way to the caller. Nothing is sent before there is something to send: so long, others may try."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from ..protocols.answer import Answer
from . import headers
from .carriers import Carrier
from .upstream import BrokenMidStream, Headers
from .visit import Visit

_STREAM_HEADERS: Final = {"X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A complete answer of an engine, in the caller's dialect."""

    status: int
    headers: Headers
    body: bytes


async def answer(visit: Visit, ours: Answer) -> web.StreamResponse:
    """Send what the gateway itself says."""
    return await whole(visit, Whole(status=ours.status, headers=described(ours), body=ours.body))


def described(ours: Answer) -> list[tuple[str, str]]:
    """The headers of an Answer."""
    kind = [("Content-Type", ours.content_type)] if ours.content_type else []
    return [*kind, *ours.headers]


async def whole(visit: Visit, given: Whole) -> web.StreamResponse:
    """Send a complete answer with its length."""
    told = CIMultiDict(headers.to_caller(given.headers, visit.headers()))
    response = web.Response(status=given.status, headers=told, body=given.body)
    visit.status, visit.sent = given.status, len(given.body)
    visit.began()
    await response.prepare(visit.request)
    await response.write_eof()
    return response


async def stream(
    visit: Visit,
    given: Headers,
    chunks: AsyncIterator[bytes],
    carrier: Carrier,
    *,
    status: int = 200,
    cut_off: bool = True,
) -> web.StreamResponse:
    """Send a stream as it comes. Raises EngineError or BrokenMidStream only while nothing has been sent.

    `cut_off`: a broken stream ends without a proper end of the body, for callers that read no error events.
    """
    response = web.StreamResponse(
        status=status, headers=CIMultiDict(headers.to_caller(given, {**visit.headers(), **_STREAM_HEADERS}))
    )
    broken = False
    try:
        async for chunk in chunks:
            if data := carrier.feed(chunk):
                await _write(visit, response, data)
        data = carrier.close()
    except BrokenMidStream as error:
        visit.error, broken = str(error), True
        data = carrier.cut()
    if data:
        await _write(visit, response, data)
    if not response.prepared:
        await response.prepare(visit.request)
    if (broken or carrier.failed) and cut_off and visit.request.transport is not None:
        visit.request.transport.close()
        return response
    with contextlib.suppress(ConnectionError):
        await response.write_eof()
    return response


async def _write(visit: Visit, response: web.StreamResponse, data: bytes) -> None:
    if not response.prepared:
        visit.status = response.status
        visit.began()
        await response.prepare(visit.request)
    visit.sent += len(data)
    await response.write(data)
