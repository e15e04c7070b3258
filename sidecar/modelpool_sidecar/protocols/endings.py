"""The end of a stream that passed through untouched: whether it was whole, and what to say when it was not.

An engine that dies ends its stream without a word (Ollama's /v1 even closes it properly), and a caller would take the
half answer for the whole. The relay keeps the last bytes of a stream and asks here.
"""

from typing import Final

from . import ndjson, sse
from .dialect import Dialect
from .errors import error_body

TAIL_BYTES: Final = 4096
"""How much of a stream's end must be kept: the last line or event, which carries the totals."""


def is_whole(dialect: Dialect, tail: bytes, *, lines: bool = False) -> bool:
    """Whether a stream with this end was finished by the engine. `lines`: NDJSON, else server-sent events.

    An end that tells of an error is whole too: the engine has said what there is to say.
    """
    end = tail.rstrip()
    if lines or dialect is Dialect.OLLAMA:
        last = end.rsplit(b"\n", 1)[-1]
        return b'"done":true' in last or b'{"error"' in last or b'"status":"success"' in last
    last = b"\n" + end.replace(b"\r\n", b"\n").rsplit(b"\n\n", 1)[-1]
    if dialect is Dialect.ANTHROPIC:
        return b'"type":"message_stop"' in last or b"\nevent: message_stop" in last or b"\nevent: error" in last
    return last == b"\ndata: [DONE]" or b"\nevent: response.completed" in last or b"\nevent: response.failed" in last


def broken(dialect: Dialect, message: str, *, status: int = 500) -> bytes:
    """What is added to a broken stream, so that the caller sees an error and not an end."""
    body = error_body(dialect, status, message)
    if dialect is Dialect.OLLAMA:
        return ndjson.encode(body)
    return sse.encode(body, event="error" if dialect is Dialect.ANTHROPIC else "")
