"""POST /v1/embeddings, there only when the server pools instead of generating."""

from __future__ import annotations

import base64
import struct
from typing import Any

from aiohttp import web

from ... import text, vectors
from . import requests, state
from .errors import RequestError, malformed, reply


async def embeddings(request: web.Request) -> web.Response:
    """Embed one text or several."""
    server = request.app[state.KEY]
    body = await requests.read(request)
    server.check_model(body.get("model"))
    inputs = _inputs(requests.required(body, "input"))
    if body.get("dimensions") is not None:
        raise RequestError(
            f"Model '{server.flags.name}' does not support Matryoshka embeddings; dimensions must be unset "
            f"(received dimensions={body['dimensions']})."
        )
    in_base64 = body.get("encoding_format") == "base64"
    data = [_entry(server, index, one, in_base64=in_base64) for index, one in enumerate(inputs)]
    tokens = sum(text.count(one) for one in inputs)
    server.metrics.add("prompt_tokens", tokens)
    return reply(
        {
            "id": state.identifier(request, "embd"),
            "object": "list",
            "created": state.created(),
            "model": server.flags.name,
            "data": data,
            "usage": {
                "prompt_tokens": tokens,
                "total_tokens": tokens,
                "completion_tokens": 0,
                "prompt_tokens_details": None,
                "completion_tokens_details": None,
            },
        }
    )


def _inputs(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return value
    raise malformed("string_type", "body.input", "Input should be a valid string", value)


def _entry(server: state.State, index: int, given: str, *, in_base64: bool) -> dict[str, Any]:
    vector = vectors.embed(given, server.settings.embedding_dimensions)
    packed = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if in_base64 else vector
    return {"index": index, "object": "embedding", "embedding": packed}
