"""POST /api/embed, /api/embeddings and /v1/embeddings."""

from __future__ import annotations

import base64
import struct
import time
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from ... import text, vectors
from ..store import Model
from . import errors, reading
from .state import KEY, State

_UNSUPPORTED = "This server does not support embeddings. Start it with `--embeddings`"


async def embed(request: web.Request) -> web.Response:
    """Embed one text or several."""
    server = request.app[KEY]
    body = await reading.read(request, "EmbedRequest")
    model = server.store.find(str(body.get("model") or ""))
    if model is None:
        raise errors.ApiError(404, f'model "{body.get("model")}" not found, try pulling it first')
    inputs = _inputs(body.get("input"))
    if not inputs:
        return errors.reply({"model": body["model"], "embeddings": []})
    started = time.monotonic_ns()
    loaded = await _load(server, model, status=501)
    dimensions = body.get("dimensions") or server.settings.embedding_dimensions
    found = [_short(vectors.scale(vector[:dimensions])) for vector in _vectors(server, inputs)]
    return errors.reply(
        {
            "model": body["model"],
            "embeddings": found,
            "total_duration": time.monotonic_ns() - started,
            "load_duration": loaded - started,
            "prompt_eval_count": sum(map(text.count, inputs)),
        }
    )


async def embeddings(request: web.Request) -> web.Response:
    """Embed one prompt, the old way."""
    server = request.app[KEY]
    body = await reading.read(request, "EmbeddingRequest")
    model = server.model(body.get("model"))
    if not body.get("prompt"):
        return errors.reply({"embedding": []})
    await _load(server, model, status=500)
    return errors.reply({"embedding": _vectors(server, [body["prompt"]])[0]})


async def openai(request: web.Request) -> web.Response:
    """Embed in OpenAI's dialect."""
    server = request.app[KEY]
    body = await reading.read(request, "EmbedRequest", checked=True)
    inputs = _inputs(body.get("input"))
    if not inputs:
        raise errors.ApiError(400, "invalid input", checked=True)
    model = server.store.find(str(body.get("model") or ""))
    if model is None:
        raise errors.ApiError(404, f'model "{body.get("model")}" not found, try pulling it first')
    await _load(server, model, status=501)
    dimensions = body.get("dimensions") or server.settings.embedding_dimensions
    found = [vectors.scale(vector[:dimensions]) for vector in _vectors(server, inputs)]
    tokens = sum(map(text.count, inputs))
    data = [
        {"object": "embedding", "embedding": _encoded(vector, body.get("encoding_format")), "index": index}
        for index, vector in enumerate(found)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return errors.openai({"object": "list", "data": data, "model": body["model"], "usage": usage})


async def _load(server: State, model: Model, *, status: int) -> int:
    """Have the model in memory; return when it was, in nanoseconds."""
    if "embedding" not in model.capabilities():
        raise errors.ApiError(status, _UNSUPPORTED)
    async with server.runners.using(model):
        return time.monotonic_ns()


def _vectors(server: State, inputs: Sequence[str]) -> list[list[float]]:
    return [vectors.embed(given, server.settings.embedding_dimensions) for given in inputs]


def _inputs(given: Any) -> list[str]:
    if given is None or given == "":
        return []
    return [str(one) for one in given] if isinstance(given, list) else [str(given)]


def _encoded(vector: list[float], encoding: Any) -> Any:
    if encoding == "base64":
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    return _short(vector)


def _short(vector: list[float]) -> list[float]:
    """Write 32-bit floats with as many digits as they have."""
    return [float(f"{value:.8g}") for value in vector]
