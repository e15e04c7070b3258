"""How Ollama says no, in the dialect of the path that was asked.

Handlers raise ApiError; `middleware` writes it, nobody else does. Errors found while checking an OpenAI request come
from another layer of the real server and carry another content type; that is what `checked` means.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from ... import engine
from .. import golang
from ..runners import BusyError

CRASHED = "an error was encountered while running the model: unexpected EOF"
BUSY = "server busy, please try again.  maximum pending requests exceeded"

NATIVE = "application/json; charset=utf-8"
OPENAI = "application/json"

_BUFFER = 2048
"""Bytes that Go's server holds back to tell the length."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiError(Exception):
    """The request cannot be served."""

    def __init__(self, status: int, message: str, *, checked: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.checked = checked


def not_found(name: str) -> ApiError:
    """Return the error of generate, chat, show and delete for a model that is not there."""
    return ApiError(404, f"model '{name}' not found")


def reply(value: Any, *, status: int = 200, content_type: str = NATIVE, newline: bool = False) -> web.Response:
    """Return a value as JSON; the OpenAI dialect ends its bodies with a newline, and Go sends long ones in chunks."""
    body = golang.encode(value) + (b"\n" if newline else b"")
    answer = web.Response(body=body, status=status)
    answer.headers["Content-Type"] = content_type
    if len(body) > _BUFFER:
        answer.enable_chunked_encoding()
    return answer


def openai(value: Any, *, status: int = 200) -> web.Response:
    """Return a value in the OpenAI dialect."""
    return reply(value, status=status, content_type=OPENAI, newline=True)


def plain(status: int, text: str, content_type: str = "text/plain") -> web.Response:
    """Return a text."""
    answer = web.Response(body=text.encode(), status=status)
    answer.headers["Content-Type"] = content_type
    return answer


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors into Ollama's answers."""
    try:
        return await handler(request)
    except ApiError as error:
        return _write(request, error)
    except BusyError:
        return _write(request, ApiError(503, BUSY))
    except engine.EngineError:
        return _write(request, ApiError(500, CRASHED))
    except web.HTTPMethodNotAllowed:
        return plain(405, "405 method not allowed")
    except web.HTTPNotFound:
        return plain(404, "404 page not found")


def _write(request: web.Request, error: ApiError) -> web.Response:
    if request.path.startswith("/v1/messages"):
        kind = {400: "invalid_request_error", 404: "not_found_error"}.get(error.status, "api_error")
        body = {"type": "error", "error": {"type": kind, "message": error.message}}
        return openai(body, status=error.status)
    if request.path.startswith("/v1/"):
        kind = {400: "invalid_request_error", 404: "not_found_error"}.get(error.status, "api_error")
        body = {"error": {"message": error.message, "type": kind, "param": None, "code": None}}
        return reply(body, status=error.status) if error.checked else openai(body, status=error.status)
    return reply({"error": error.message}, status=error.status)
