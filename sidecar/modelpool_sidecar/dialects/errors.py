"""What can go wrong between a caller and an engine, with the blame in the type, and how each dialect words it.

`BadRequestError` is the caller's: its request cannot be read or cannot be served as asked. `EngineError` is the
engine's: its answer is no answer; raised only while nothing has gone to the caller, so the request may still go
elsewhere. `Refusal` is the gateway's own no. `render` is the only place that turns any of these into bytes.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, assert_never

from ..http.errors import BadRequestError
from . import go_json
from .answer import OLLAMA_JSON, PLAIN_JSON, Answer
from .dialect import Dialect, Operation
from .names import with_tag
from .quoting import LONGEST_NAME, cut

CODINGS: Final = "gzip, deflate, br, zstd"
"""Of a request's content, as told to who used another one: RFC 9110, 12.5.3."""
_UNSUPPORTED_CODING: Final = 415


class EngineError(Exception):
    """The engine's fault. `status` is what the caller would see if nobody else can serve the request."""

    def __init__(self, message: str, *, status: int = 500) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class Reason(Enum):
    """Why the gateway refuses; the value begins with the HTTP status."""

    BAD_REQUEST = (400, "bad request")
    UNAUTHORIZED = (401, "unauthorized")
    CLOSED = (403, "closed")
    """An administrative call, while the gateway's administration is closed."""
    UNKNOWN_MODEL = (404, "unknown model")
    UNKNOWN_PATH = (404, "unknown path")
    METHOD_NOT_ALLOWED = (405, "method not allowed")
    TOO_LARGE = (413, "too large")
    TOO_MANY_REQUESTS = (429, "too many requests")
    INTERNAL = (500, "internal")
    UNSUPPORTED = (404, "unsupported")
    """The engine that serves the model has no such operation. 404, as that engine itself says: with 501, which lasts no
    less, the clients of OpenAI and Anthropic ask three times, as they do for 408, 409, 429 and whatever is 500 or more.
    """
    ENGINE_FAILED = (502, "engine failed")
    BUSY = (503, "busy")
    UNAVAILABLE = (503, "unavailable")
    ENGINE_TIMED_OUT = (504, "engine timed out")

    @property
    def status(self) -> int:
        """The HTTP status this reason is answered with."""
        return self.value[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A no, before it is worded. `detail` is the message, or the model's name where the reason is UNKNOWN_MODEL."""

    reason: Reason
    detail: str = ""
    operation: Operation | None = None
    """What was asked for: Ollama's calls word an unknown model each in their own way."""
    status: int | None = None
    """Overrides the reason's own status."""
    retry_after_s: int | None = None
    """Seconds after which trying again makes sense; sent as Retry-After."""
    allow: str = ""
    """The methods a path has; sent as Allow."""

    @classmethod
    def of(cls, error: "BadRequestError | EngineError") -> "Refusal":
        """The refusal that a caught error becomes."""
        reason = Reason.BAD_REQUEST if isinstance(error, BadRequestError) else Reason.ENGINE_FAILED
        return cls(reason=reason, detail=error.message, status=error.status)


# vLLM's names for what went wrong, by status; OpenAI's clients decide by status and only print these.
_OPENAI_TYPES: Final = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    405: "BadRequestError",
    408: "BadRequestError",
    413: "BadRequestError",
    415: "BadRequestError",
    417: "BadRequestError",
    429: "RateLimitError",
    501: "NotImplementedError",
    503: "ServiceUnavailableError",
    505: "BadRequestError",
}
_ANTHROPIC_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "invalid_request_error",
    413: "request_too_large",
    415: "invalid_request_error",
    417: "invalid_request_error",
    429: "rate_limit_error",
    501: "invalid_request_error",
    503: "overloaded_error",
    505: "invalid_request_error",
}


def render(refusal: Refusal, dialect: Dialect) -> Answer:
    """The refusal as the caller's dialect words it."""
    status = refusal.status or refusal.reason.status
    headers: list[tuple[str, str]] = []
    if refusal.retry_after_s is not None:
        headers.append(("Retry-After", str(max(1, refusal.retry_after_s))))
    if refusal.allow:
        headers.append(("Allow", refusal.allow))
    if status == _UNSUPPORTED_CODING:
        headers.append(("Accept-Encoding", CODINGS))
    if dialect is Dialect.OLLAMA and refusal.reason in (Reason.UNKNOWN_PATH, Reason.METHOD_NOT_ALLOWED):
        text = b"404 page not found" if status == 404 else b"405 method not allowed"
        return Answer(status=status, body=text, content_type="text/plain", headers=tuple(headers))
    return Answer(
        status=status,
        body=error_body(dialect, status, _wording(refusal, dialect), refusal.reason),
        content_type=OLLAMA_JSON if dialect is Dialect.OLLAMA else PLAIN_JSON,
        headers=tuple(headers),
    )


def error_body(dialect: Dialect, status: int, message: str, reason: Reason | None = None) -> bytes:
    """The JSON object of an error, also used for errors inside a stream."""
    match dialect:
        case Dialect.OLLAMA:
            return go_json.encode({"error": message})
        case Dialect.OPENAI:
            kind = _OPENAI_TYPES.get(status, "InternalServerError")
            param = "model" if reason is Reason.UNKNOWN_MODEL else None
            return go_json.encode({"error": {"message": message, "type": kind, "param": param, "code": status}})
        case Dialect.ANTHROPIC:
            kind = _ANTHROPIC_TYPES.get(status, "api_error")
            return go_json.encode({"type": "error", "error": {"type": kind, "message": message}})
        case _:
            assert_never(dialect)


def _wording(refusal: Refusal, dialect: Dialect) -> str:
    match refusal.reason:
        case Reason.UNKNOWN_MODEL if dialect is Dialect.OLLAMA:
            return _unknown_to_ollama(cut(refusal.detail, LONGEST_NAME), refusal.operation)
        case Reason.UNKNOWN_MODEL:
            return f"The model `{cut(refusal.detail, LONGEST_NAME)}` does not exist."
        case Reason.UNKNOWN_PATH:
            return refusal.detail or "Not Found"
        case Reason.METHOD_NOT_ALLOWED:
            return refusal.detail or "Method Not Allowed"
        case _:
            return refusal.detail or refusal.reason.value[1]


def _unknown_to_ollama(model: str, operation: Operation | None) -> str:
    if operation is Operation.EMBED:
        return f'model "{model}" not found, try pulling it first'
    return f"model '{with_tag(model) if operation is Operation.SHOW_MODEL else model}' not found"
