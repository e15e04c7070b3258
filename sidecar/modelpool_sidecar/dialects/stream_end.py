"""The end of a stream that passed through untouched: whether it was whole, and what to say when it was not.

An engine that dies ends its stream without a word (Ollama's /v1 even closes it properly), and a caller would take the
half answer for the whole. The relay keeps the last bytes of a stream and asks here.
"""

import re
from typing import Final

from . import ndjson, sse
from .dialect import Dialect
from .errors import error_body

TAIL_BYTES: Final = 4096
"""How much of a stream's end must be kept: the last line or event, which carries the totals."""

# Unescaped quotes: none of these can stand inside a text. A long `context` may push `done` out of the tail.
_LAST_LINES: Final = (b'"done":true', b'"total_duration":', b'{"error"', b'"status":"success"')
_DONE: Final = b"data: [DONE]"
# Of Anthropic's messages and OpenAI's responses; the colon of the next field shows that the name is whole.
_LAST_EVENTS: Final = tuple(
    f"event: {name}\ndata:".encode()
    for name in ("message_stop", "error", "response.completed", "response.failed", "response.incomplete")
)

_ERROR_EVENTS: Final = (b'data: {"error"', b'data:{"error"', b"event: error", b"event: response.failed")

_CALLERS_FAULT: Final = re.compile(rb'(?<!\\)"(?:code": ?(?:400|413|422)\b|type": ?"invalid_request_error")')


def is_refusal(event: bytes) -> bool:
    """Whether an error event is about the request, which another engine would not carry out either."""
    return _CALLERS_FAULT.search(event.replace(b"\r\n", b"\n").partition(b"\n\n")[0]) is not None


def is_whole(dialect: Dialect, tail: bytes, *, lines: bool = False) -> bool:
    """Whether a stream with this end was finished by the engine.

    `lines`: it is NDJSON, which it always is in Ollama's dialect; else server-sent events.

    An end that tells of an error is whole too: the engine has said what there is to say.
    """
    end = tail.rstrip()
    if lines or dialect is Dialect.OLLAMA:
        last = end.rsplit(b"\n", 1)[-1]
        return any(mark in last for mark in _LAST_LINES)
    if b"\r" in end:
        end = end.replace(b"\r\n", b"\n")
    _, boundary, last = end.rpartition(b"\n\n")
    if not boundary and len(tail) >= TAIL_BYTES:  # the last event is longer than what was kept
        return tail.endswith((b"}\n\n", b"}\r\n\r\n"))
    return last == _DONE or (last.startswith(_LAST_EVENTS) and last.endswith(b"}"))


def is_error(dialect: Dialect, tail: bytes) -> bool:
    """Whether a whole stream with this end was ended by an error of the engine, as it says itself."""
    if dialect is Dialect.OLLAMA:
        return tail.rstrip().rsplit(b"\n", 1)[-1].startswith(b'{"error"')
    end = tail.replace(b"\r\n", b"\n").rstrip().removesuffix(_DONE).rstrip()
    return end.rpartition(b"\n\n")[2].startswith(_ERROR_EVENTS)


def broken(dialect: Dialect, message: str, *, status: int = 500) -> bytes:
    """What is added to a broken stream, so that the caller sees an error and not an end."""
    body = error_body(dialect, status, message)
    if dialect is Dialect.OLLAMA:
        return ndjson.encode(body)
    return sse.encode(body, event="error" if dialect is Dialect.ANTHROPIC else "")
