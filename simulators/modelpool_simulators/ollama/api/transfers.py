"""POST /api/pull, /api/push and /api/create, HEAD and POST /api/blobs/…: what moves models, with progress."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from .. import names
from . import errors, native, reading
from .models import empty
from .state import KEY, State

_TICKS = 10
"""A download reports its progress so often."""

Lines = AsyncIterator[dict[str, Any]]


class _FailedError(Exception):
    """The transfer cannot go on; the message is the `error` of the last line."""


async def pull(request: web.Request) -> web.StreamResponse:
    """Download a model."""
    body = await reading.read(request, "PullRequest")
    return await _send(request, body, _pull(request.app[KEY], _name(body)))


async def push(request: web.Request) -> web.StreamResponse:
    """Upload a model: it is looked at, and nothing leaves this machine."""
    body = await reading.read(request, "PushRequest")
    return await _send(request, body, _push(request.app[KEY], _name(body)))


async def create(request: web.Request) -> web.StreamResponse:
    """Make a model from another one or from blobs."""
    body = await reading.read(request, "CreateRequest")
    return await _send(request, body, _create(request.app[KEY], _name(body), body))


async def has_blob(request: web.Request) -> web.Response:
    """Tell whether a blob is there."""
    digest = request.match_info["digest"]
    if not request.app[KEY].store.has_blob(digest.removeprefix("sha256:")):
        return errors.reply({"error": f'blob "{digest}" not found'}, status=404)
    return empty(200)


async def put_blob(request: web.Request) -> web.Response:
    """Keep a blob, if it is what its name says."""
    digest = request.match_info["digest"].removeprefix("sha256:")
    server = request.app[KEY]
    if server.store.has_blob(digest):
        return empty(200)
    content = await request.read()
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise errors.ApiError(400, f'digest mismatch, expected "sha256:{digest}", got "sha256:{found}"')
    server.store.add_blob(digest, content)
    return empty(201)


def _name(body: reading.Body) -> str:
    name = body.get("model") or body.get("name")
    try:
        names.parse(str(name or ""))
    except names.InvalidNameError:
        raise errors.ApiError(400, "invalid model name") from None
    return str(name)


async def _pull(server: State, name: str) -> Lines:
    yield {"status": "pulling manifest"}
    fails = server.settings.pull_fails
    if "*" in fails or names.parse(name).key in {names.parse(one).key for one in fails}:
        raise _FailedError("pull model manifest: file does not exist")
    known = server.store.find(name)
    model = known or server.store.offered(name)
    head = {"status": f"pulling {model.blob[:12]}", "digest": f"sha256:{model.blob}", "total": model.size}
    if known is None:
        yield head
        for tick in range(1, _TICKS + 1):
            await asyncio.sleep(server.settings.pull_seconds / _TICKS)
            yield {**head, "completed": model.size * tick // _TICKS}
        server.store.pulled(name)
    else:
        yield {**head, "completed": model.size}
    yield {"status": "verifying sha256 digest"}
    yield {"status": "writing manifest"}
    yield {"status": "success"}


async def _push(server: State, name: str) -> Lines:
    yield {"status": "retrieving manifest"}
    model = server.store.find(name)
    if model is None:
        raise _FailedError(f"open {names.parse(name).short}: no such file or directory")
    head = {"status": f"pushing {model.blob[:12]}", "digest": f"sha256:{model.blob}", "total": model.size}
    yield head
    yield {**head, "completed": model.size}
    yield {"status": "pushing manifest"}
    yield {"status": "success"}


async def _create(server: State, name: str, body: reading.Body) -> Lines:
    changes = {key: body[key] for key in ("template", "system", "parameters") if body.get(key)}
    if body.get("license"):
        changes["license"] = str(body["license"])
    if body.get("from"):
        source = server.store.find(str(body["from"]))
        if source is None:
            async for line in _pull(server, str(body["from"])):
                if line != {"status": "success"}:
                    yield line
            source = server.store.find(str(body["from"]))
        if source is None:
            raise _FailedError(f"pull model manifest: {body['from']}")
    elif body.get("files"):
        for digest in body["files"].values():
            if not server.store.has_blob(str(digest).removeprefix("sha256:")):
                raise _FailedError(f'blob "{digest}" not found')
        yield {"status": "parsing GGUF"}
        source = server.store.pulled(name)
    else:
        raise _FailedError("neither 'from' or 'files' was specified")
    yield {"status": f"using existing layer sha256:{source.blob}"}
    for key in changes:
        layer = hashlib.sha256(repr(changes[key]).encode()).hexdigest()
        yield {"status": f"creating new layer sha256:{layer}"}
    server.store.derive(name, source, changes)
    yield {"status": "writing manifest"}
    yield {"status": "success"}


async def _send(request: web.Request, body: reading.Body, lines: Lines) -> web.StreamResponse:
    """Send progress as it comes; a failure is the last line, or status 500 when only the outcome was asked for."""
    if body.get("stream") is not False:
        return await native.ndjson(request, _told(lines))
    try:
        async for _ in lines:
            pass
    except _FailedError as error:
        return errors.reply({"error": str(error)}, status=500, content_type=errors.OPENAI)
    return errors.reply({"status": "success"}, content_type=errors.OPENAI)


async def _told(lines: Lines) -> Lines:
    try:
        async for line in lines:
            yield line
    except _FailedError as error:
        yield {"error": str(error)}
