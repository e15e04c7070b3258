"""The HTTP server: routes, and who may ask at all (Host header, Origin)."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from aiohttp import web

from . import VERSION
from .api import (
    chat_completions,
    completions,
    embed,
    errors,
    messages,
    models,
    native,
    openai,
    responses,
    state,
    transfers,
)

_MAX_BODY = 16 * 1024**3
_LOCAL_SUFFIXES = (".localhost", ".local", ".internal")
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "0.0.0.0")  # noqa: S104 - names that browsers send
_LOCAL_SCHEMES = ("app", "file", "tauri", "vscode-webview", "vscode-file")
_PREFLIGHT_HEADERS = (
    "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,Openai-Beta,X-Stainless-Arch,X-Stainless-Async,"
    "X-Stainless-Custom-Poll-Interval,X-Stainless-Helper-Method,X-Stainless-Lang,X-Stainless-Os,"
    "X-Stainless-Package-Version,X-Stainless-Poll-Helper,X-Stainless-Retry-Count,X-Stainless-Runtime,"
    "X-Stainless-Runtime-Version,X-Stainless-Timeout"
)


def build_app(server: state.State) -> web.Application:
    """Return the application."""
    app = web.Application(client_max_size=_MAX_BODY, middlewares=[_gate, errors.middleware])
    app[state.KEY] = server
    app.on_response_prepare.append(_headers)
    add = app.router.add_route
    for method in ("GET", "HEAD"):
        add(method, "/", _root)
        add(method, "/api/version", _version)
        add(method, "/api/tags", models.tags)
    add("GET", "/api/ps", models.ps)
    add("POST", "/api/show", models.show)
    add("POST", "/api/copy", models.copy)
    add("DELETE", "/api/delete", models.delete)
    add("POST", "/api/pull", transfers.pull)
    add("POST", "/api/push", transfers.push)
    add("POST", "/api/create", transfers.create)
    add("HEAD", "/api/blobs/{digest}", transfers.has_blob)
    add("POST", "/api/blobs/{digest}", transfers.put_blob)
    add("POST", "/api/generate", native.generate)
    add("POST", "/api/chat", native.chat)
    add("POST", "/api/embed", embed.embed)
    add("POST", "/api/embeddings", embed.embeddings)
    add("POST", "/v1/chat/completions", chat_completions.chat)
    add("POST", "/v1/completions", completions.completions)
    add("POST", "/v1/embeddings", embed.openai)
    add("GET", "/v1/models", openai.models)
    add("GET", "/v1/models/{name:.+}", openai.model)
    add("POST", "/v1/responses", responses.responses)
    add("POST", "/v1/messages", messages.messages)
    return app


async def _root(_: web.Request) -> web.Response:
    return errors.plain(200, "Ollama is running", "text/plain; charset=utf-8")


async def _version(_: web.Request) -> web.Response:
    return errors.reply({"version": VERSION})


async def _headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop("Server", None)
    origin = request.headers.get("Origin")
    if origin and response.status != 403:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Vary"] = "Origin"


@web.middleware
async def _gate(request: web.Request, handler: errors.Handler) -> web.StreamResponse:
    """Refuse browsers of other origins, and names that should not lead to a server on loopback."""
    server = request.app[state.KEY]
    origin = request.headers.get("Origin")
    if origin and not _allowed_origin(origin, server.settings.origins):
        return models.empty(403)
    if origin and request.method == "OPTIONS":
        return _preflight()
    if _is_loopback(server.settings.host) and not _is_local(request.host):
        return models.empty(403)
    return await handler(request)


def _preflight() -> web.Response:
    headers = {
        "Access-Control-Allow-Headers": _PREFLIGHT_HEADERS,
        "Access-Control-Allow-Methods": "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS",
        "Access-Control-Max-Age": "43200",
    }
    return web.Response(status=204, headers=headers)


def _allowed_origin(origin: str, extra: tuple[str, ...]) -> bool:
    if "*" in extra or origin in extra:
        return True
    parts = urlsplit(origin)
    return parts.scheme in _LOCAL_SCHEMES or parts.hostname in _LOCAL_HOSTS


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_local(header: str) -> bool:
    """Tell whether a Host header names this machine or its network."""
    host = (urlsplit(f"//{header}").hostname or "").lower()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host in ("", "localhost", socket.gethostname().lower()) or host.endswith(_LOCAL_SUFFIXES)
    return address.is_loopback or address.is_private or address.is_unspecified
