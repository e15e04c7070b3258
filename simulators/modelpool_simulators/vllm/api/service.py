"""GET routes about the server itself: health, models, metrics, load, version."""

from __future__ import annotations

import secrets
from typing import Any

from aiohttp import web

from .. import VERSION
from . import errors, state


async def health(request: web.Request) -> web.Response:
    """Answer 200 with nothing, 503 once the engine is dead."""
    alive = not request.app[state.KEY].engine.dead.is_set()
    return web.Response(status=200 if alive else 503)


async def ping(request: web.Request) -> web.Response:
    """Answer like health."""
    return await health(request)


async def version(_: web.Request) -> web.Response:
    """Name the version."""
    return errors.reply({"version": VERSION})


async def models(request: web.Request) -> web.Response:
    """List the served names, then the adapters, which name the folder they are of and the model they belong to."""
    server = request.app[state.KEY]
    listed = [_model(server, name) for name in server.flags.served_names]
    for name, path in server.flags.adapters.items():
        listed.append({**_model(server, name), "root": path, "parent": server.flags.name, "max_model_len": None})
    return errors.reply({"object": "list", "data": listed})


async def metrics(request: web.Request) -> web.Response:
    """Expose the metrics."""
    answer = web.Response(body=request.app[state.KEY].metrics.expose().encode())
    answer.headers["Content-Type"] = "text/plain; version=1.0.0; charset=utf-8"
    return answer


async def load(request: web.Request) -> web.Response:
    """Count the requests under way; 0 without --enable-server-load-tracking."""
    server = request.app[state.KEY]
    return errors.reply({"server_load": server.in_flight if server.flags.load_tracking else 0})


def _model(server: state.State, name: str) -> dict[str, Any]:
    permission = {
        "id": f"modelperm-{secrets.token_hex(8)}",
        "object": "model_permission",
        "created": state.created(),
        "allow_create_engine": False,
        "allow_sampling": True,
        "allow_logprobs": True,
        "allow_search_indices": False,
        "allow_view": True,
        "allow_fine_tuning": False,
        "organization": "*",
        "group": None,
        "is_blocking": False,
    }
    return {
        "id": name,
        "object": "model",
        "created": state.created(),
        "owned_by": "vllm",
        "root": server.flags.model,
        "parent": None,
        "max_model_len": server.loaded.max_model_len,
        "permission": [permission],
    }
