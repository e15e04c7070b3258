"""vLLM's errors in Ollama's words."""

from typing import Final

import msgspec

from ..dialects.answer import Answer
from ..dialects.dialect import Dialect, Operation
from ..dialects.errors import Reason, Refusal, render

BUSY: Final = "server busy, please try again.  maximum pending requests exceeded"
"""Clients of Ollama know this text."""
ENGINE_REFUSED_KEY: Final = "the engine refused the gateway's credentials"
_TOO_LONG: Final = "This model's maximum context length is"
_MAX_TEXT: Final = 512


class _Inner(msgspec.Struct):
    message: str = ""
    type: str = ""


class _Body(msgspec.Struct):
    error: _Inner | str | None = None
    detail: object = None
    message: str | None = None


_DECODE: Final = msgspec.json.Decoder(_Body).decode


def running(message: str) -> str:
    """How Ollama words an engine that failed while it worked."""
    return f"an error was encountered while running the model: {message}"


NO_CALL: Final = running("the engine ended the answer with a tool call, and sent none")
"""It may be asked again: a parser has lost what the model said."""


def unsupported(model: str, operation: Operation) -> Refusal:
    """A call that this kind of model does not answer."""
    if operation is Operation.EMBED:
        text = "This server does not support embeddings. Start it with `--embeddings`"
        return Refusal(reason=Reason.UNSUPPORTED, detail=text, status=501)  # as Ollama says it, whose clients ask once
    return Refusal(reason=Reason.BAD_REQUEST, detail=f'"{model}" does not support {operation.value}')


def translated(status: int, body: bytes, *, model: str, operation: Operation) -> Answer:
    """An error answer of vLLM as Ollama would have given it. `model` is the name the caller used."""
    return render(refusal(status, body, model=model, operation=operation), Dialect.OLLAMA)


def refusal(status: int, body: bytes, *, model: str, operation: Operation) -> Refusal:
    """The same, before it is worded."""
    message, routed = _message(body)
    if status == 404:
        # vLLM has no such route for this kind of model, or no such model.
        if routed:
            return Refusal(reason=Reason.UNKNOWN_MODEL, detail=model, operation=operation)
        return unsupported(model, operation)
    if status in (401, 403):
        return Refusal(reason=Reason.ENGINE_FAILED, detail=ENGINE_REFUSED_KEY)
    if status == 503:
        return Refusal(reason=Reason.BUSY, detail=BUSY)
    if status >= 500:
        return Refusal(reason=Reason.INTERNAL, detail=running(message or f"status {status}"))
    if operation is Operation.EMBED and message.startswith(_TOO_LONG):
        message = "the input length exceeds the context length"
    return Refusal(reason=Reason.BAD_REQUEST, detail=message or f"status {status}", status=status)


def _message(body: bytes) -> tuple[str, bool]:
    """The message, and whether a route of the engine said it rather than its router."""
    try:
        found = _DECODE(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body[:_MAX_TEXT].decode(errors="replace").strip(), False
    if isinstance(found.error, _Inner):
        return found.error.message, True
    if isinstance(found.error, str):
        return found.error, True
    if found.message is not None:
        return found.message, True
    return (found.detail if isinstance(found.detail, str) else ""), False
