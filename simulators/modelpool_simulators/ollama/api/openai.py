"""What the OpenAI routes share: framing, limits, usage; and GET /v1/models.

`chat_completions` and `completions` are the routes that generate.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from .. import golang
from ..store import Model
from . import errors, session
from .reading import Body
from .state import KEY

DONE = b"data: [DONE]\n\n"


async def models(request: web.Request) -> web.Response:
    """List the models; none is `null`, as in the real server."""
    found = [_model(model) for model in request.app[KEY].store.all()]
    return errors.openai({"object": "list", "data": found or None})


async def model(request: web.Request) -> web.Response:
    """Describe one model."""
    return errors.openai(_model(request.app[KEY].model(request.match_info["name"])))


async def stream(request: web.Request, events: AsyncIterator[bytes]) -> web.StreamResponse:
    """Send events as they come; nothing goes out before the first one."""
    first = await anext(events)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(first)
    async for event in events:
        await response.write(event)
    await response.write_eof()
    return response


def event(value: Any) -> bytes:
    """Frame one event."""
    return b"data: " + golang.encode(value) + b"\n\n"


def head(body: Body, prefix: str, kind: str) -> dict[str, Any]:
    """Return the fields that every answer begins with."""
    return {
        "id": f"{prefix}-{random.randrange(999)}",  # noqa: S311 - as unsafe as the real one
        "object": kind,
        "created": int(time.time()),
        "model": body["model"],
        "system_fingerprint": "fp_ollama",
    }


def limits(model: Model, body: Body) -> dict[str, Any]:
    """Return what a request says about length, stop strings, seed and context."""
    stop = body.get("stop") or model.parameters.get("stop") or []
    context = model.parameters.get("num_ctx")
    return {
        "limit": int(body["max_tokens"]) if body.get("max_tokens") else None,
        "stops": [stop] if isinstance(stop, str) else [str(one) for one in stop],
        "seed": int(body.get("seed") or 0),
        "context": int(context) if context else None,
    }


async def collect(
    pieces: AsyncIterator[session.Piece | session.End],
) -> tuple[list[session.Piece], session.End]:
    """Wait for a whole answer."""
    got: list[session.Piece] = []
    async for piece in pieces:
        if isinstance(piece, session.End):
            return got, piece
        got.append(piece)
    raise errors.ApiError(500, errors.CRASHED)


def usage(end: session.End) -> dict[str, int]:
    """Return the usage of an answer."""
    return {
        "prompt_tokens": end.prompt_tokens,
        "completion_tokens": end.tokens,
        "total_tokens": end.prompt_tokens + end.tokens,
    }


def wants_usage(body: Body) -> bool:
    """Tell whether a stream shall end with the usage."""
    return (body.get("stream_options") or {}).get("include_usage") is True


def _model(model: Model) -> dict[str, Any]:
    return {"id": model.name, "object": "model", "created": model.modified // 10**9, "owned_by": "library"}
