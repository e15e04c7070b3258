"""vLLM's errors in Ollama's words."""

import re
from typing import Final

import msgspec

from ..dialects import go_decoding
from ..dialects.answer import Answer
from ..dialects.dialect import Dialect, Operation
from ..dialects.errors import EngineError, Reason, Refusal, render
from ..dialects.quoting import cut
from ..http.errors import BadRequestError
from . import engine_chunks
from .engine_chunks import ErrorBody

BUSY: Final = "server busy, please try again.  maximum pending requests exceeded"
"""Clients of Ollama know this text."""
DIED: Final = ("EngineCore", "EngineDead")
"""What vLLM's server names when the process that does the work has died."""
ENGINE_REFUSED_KEY: Final = "the engine refused the gateway's credentials"
_TOO_LONG: Final = "This model's maximum context length is"
_MAX_TEXT: Final = 512
_DUMP: Final = re.compile(r"\bvalidation errors?\b|'type': .*'loc': ", re.DOTALL)
"""How the messages of pydantic look, which checks what vLLM is asked."""
_WHERE: Final = re.compile(r"'loc': (?:'([^']*)'|\(([^)]*)\))")
_WHAT: Final = re.compile(r"""'msg': (?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")""")
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_OURS: Final = {
    "max_tokens": "num_predict",
    "max_completion_tokens": "num_predict",
    "repetition_penalty": "repeat_penalty",
    "response_format": "format",
    "chat_template_kwargs": "think",
}
"""Ollama's names for fields of vLLM's."""
_SCHEMA: Final = re.compile(r"\bgrammar\b|\bxgrammar\b|json.?schema|structured.?output", re.IGNORECASE)
_BAD_SCHEMA: Final = "invalid JSON schema in format"
"""Clients of Ollama know this text."""
_CALLERS: Final = frozenset({400, 413, 422})
"""Statuses that blame the request."""


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


def read_by_go(data: bytes) -> engine_chunks.Chunk:
    """What a strict decoder has refused, as Go's reads it. Raises EngineError."""
    try:
        return engine_chunks.decode(go_decoding.well_formed(data))
    except engine_chunks.FAULTS as error:
        raise EngineError(running(f"the engine sent what is no answer: {error}")) from error


def in_stream(error: ErrorBody | str) -> EngineError | BadRequestError:
    """What an error event says: of the caller, whose request the engine cannot carry out, or of the engine."""
    if isinstance(error, str):
        return EngineError(running(error))
    code = error.code
    status = int(code) if isinstance(code, int) or (isinstance(code, str) and code.isdecimal()) else 0
    if status in _CALLERS and not any(name in error.message for name in DIED):
        return BadRequestError(worded(error.message) or f"status {status}", status=status)
    return EngineError(running(error.message))


def worded(message: str) -> str:
    """What an engine says of a request, as it may be told: no dump of what checks its parameters."""
    if _DUMP.search(message):
        return _undumped(message)
    if _SCHEMA.search(message) and not message.startswith(_BAD_SCHEMA):
        return f"{_BAD_SCHEMA}: {cut(message)}"
    return message


def _undumped(message: str) -> str:
    """The first field that was refused, by Ollama's name, and why."""
    where, what = _WHERE.search(message), _WHAT.search(message)
    names = _WORD.findall(where[1] or where[2] or "") if where else []
    name = next((_OURS.get(one, one) for one in names if one != "body"), "")
    reason = cut((what[1] or what[2] or "") if what else "")
    if not name:
        return f"the engine does not take the request: {reason}" if reason else "the engine does not take the request"
    return f'the engine does not take "{cut(name)}": {reason}' if reason else f'the engine does not take "{cut(name)}"'


def message_of(body: bytes) -> str:
    """The message in an error answer."""
    return _message(body)[0]


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
    return Refusal(reason=Reason.BAD_REQUEST, detail=worded(message) or f"status {status}", status=status)


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
