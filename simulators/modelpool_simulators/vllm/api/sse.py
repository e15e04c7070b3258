"""Server-sent events as vLLM frames them, and what a stream looks like when the engine dies under it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import msgspec
from aiohttp import web

from ... import engine
from . import errors, state

DONE = b"data: [DONE]\n\n"


def event(value: object, name: str | None = None) -> bytes:
    """Frame one event."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + msgspec.json.encode(value) + b"\n\n"


async def send(request: web.Request, events: AsyncIterator[bytes]) -> web.StreamResponse:
    """Send events as they come, and comments in between when asked for. An engine that dies is an event, then the
    end.
    """
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    interval = request.app[state.KEY].flags.sse_keep_alive
    async with asyncio.TaskGroup() as tasks:
        beat = tasks.create_task(_keep_alive(response, interval), name="keep-alive") if interval else None
        try:
            async for chunk in events:
                await response.write(chunk)
        except engine.EngineDeadError:
            error = errors.body(errors.DEAD, "InternalServerError", 500)
            await response.write(b"data: " + json.dumps(error).encode() + b"\n\n" + DONE)
        if beat is not None:
            beat.cancel()
    await response.write_eof()
    return response


async def _keep_alive(response: web.StreamResponse, interval: float) -> None:
    """Send a comment every so many seconds, for proxies that give up on quiet streams."""
    while True:
        await asyncio.sleep(interval)
        await response.write(b": keep-alive\n\n")
