"""How vLLM says no: status and JSON body of every error a client can meet.

RequestError (the client's fault) and the engine's errors (ours) become responses in `middleware`, nowhere else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec
from aiohttp import web

from ... import engine

BUSY = "The engine is currently busy and cannot accept new requests. Please try again later or on a different instance."
STOPPING = "cannot schedule new futures after shutdown"
DEAD = "EngineCore encountered an issue. See stack trace (above) for the root cause."

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RequestError(Exception):
    """The request cannot be served as it is."""

    def __init__(
        self, message: str, *, status: int = 400, kind: str = "BadRequestError", param: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.param = param


def invalid(param: str, message: str, value: object = None) -> RequestError:
    """Return the error for a parameter out of range, with vLLM's postscript."""
    note = f"parameter={param}" if value is None else f"parameter={param}, value={value}"
    return RequestError(f"{message} ({note})", param=param)


def malformed(kind: str, where: str, message: str, given: object, context: str = "") -> RequestError:
    """Return the error for a body that does not validate."""
    shown = f"'<dict of {len(given)} items>'" if isinstance(given, dict) else repr(given)
    detail = f"{{'type': '{kind}', 'loc': '{where}', 'msg': '{message}', 'input': {shown}{context}}}"
    return RequestError(f"1 validation error:\n  {detail}", kind="Bad Request", param=where)


def body(message: str, kind: str, code: int, param: str | None = None) -> dict[str, object]:
    """Return the JSON object of an error."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def response(status: int, message: str, kind: str, param: str | None = None) -> web.Response:
    """Return an error as an HTTP answer."""
    return reply(body(message, kind, status, param), status=status)


def reply(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return any value as JSON, with the content type that vLLM sends."""
    answer = web.Response(body=msgspec.json.encode(value), status=status, headers=headers)
    answer.headers["Content-Type"] = "application/json"
    return answer


def of_engine(error: engine.EngineError) -> web.Response:
    """Return what a client sees of an engine that cannot serve."""
    if isinstance(error, engine.EngineBusyError):
        return response(503, BUSY, "Service Unavailable")
    message = STOPPING if isinstance(error, engine.EngineStoppingError) else DEAD
    return response(500, message, "InternalServerError")


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors into vLLM's answers."""
    try:
        return await handler(request)
    except RequestError as error:
        return response(error.status, error.message, error.kind, error.param)
    except engine.EngineError as error:
        return of_engine(error)
    except web.HTTPException as error:
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return reply({"detail": HTTPStatus(error.status).phrase}, status=error.status, headers=headers)
