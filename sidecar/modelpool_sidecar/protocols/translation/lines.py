"""Ollama's answer lines as bytes, built from constant pieces: this runs once per token."""

from collections.abc import Sequence
from enum import Enum
from typing import Final

import msgspec

from .. import gojson
from ..durations import fraction, rfc3339
from .chunks import TokenLogprob
from .exchange import Timings, Usage

_NS: Final = 1_000_000_000
_encode: Final = gojson.encode


class Shape(Enum):
    """Where the text stands: bytes before it, and bytes after it and its companions."""

    CHAT = (b'","message":{"role":"assistant","content":', b"}")
    GENERATE = (b'","response":', b"")


class Function(msgspec.Struct):
    """Ollama's function of a tool call: the arguments are an object."""

    index: int
    name: str
    arguments: dict[str, object]


class ToolCall(msgspec.Struct):
    """A complete tool call."""

    id: str
    function: Function


class Lines:
    """Writes the lines of one answer."""

    def __init__(self, *, model: str, shape: Shape, timings: Timings) -> None:
        self._shape = shape
        before, self._after = shape.value
        self._head = b'{"model":' + _encode(model) + b',"created_at":"'
        self._before = before
        self._open = self._after + b',"done":false}\n'
        self._timings = timings
        self._offset = timings.epoch_ns - timings.started_ns
        self._second = -1
        self._stamp = b""

    def text(self, text: str, now_ns: int) -> bytes:
        """The frequent line: some content and nothing else."""
        return b"".join((self._head, self._created(now_ns), self._before, _encode(text), self._open))

    def piece(
        self,
        now_ns: int,
        *,
        content: str = "",
        thinking: str = "",
        calls: Sequence[ToolCall] = (),
        logprobs: Sequence[TokenLogprob] = (),
    ) -> bytes:
        """A line before the last, with whatever it carries."""
        message = self._message(now_ns, content, thinking, calls)
        return b"".join((*message, b',"done":false', *_logprobs(logprobs), b"}\n"))

    def last(
        self,
        now_ns: int,
        *,
        done_reason: str,
        first_ns: int | None,
        usage: Usage | None,
        content: str = "",
        thinking: str = "",
        calls: Sequence[ToolCall] = (),
        logprobs: Sequence[TokenLogprob] = (),
    ) -> bytes:
        """The line that ends a stream, or the whole answer when it carries everything."""
        message = self._message(now_ns, content, thinking, calls)
        done = b',"done":true,"done_reason":' + _encode(done_reason)
        numbers = (metrics(self._timings, first_ns, now_ns, usage),)
        chances = _logprobs(logprobs)
        rest = (*chances, *numbers) if self._shape is Shape.CHAT else (*numbers, *chances)  # Ollama's order in each
        return b"".join((*message, done, *rest, b"}\n"))

    def _message(self, now_ns: int, content: str, thinking: str, calls: Sequence[ToolCall]) -> list[bytes]:
        parts = [self._head, self._created(now_ns), self._before, _encode(content)]
        if thinking:
            parts += (b',"thinking":', _encode(thinking))
        if calls:
            parts += (b',"tool_calls":', _encode(calls))
        parts.append(self._after)
        return parts

    def _created(self, now_ns: int) -> bytes:
        second, rest = divmod(now_ns + self._offset, _NS)
        if second != self._second:
            self._second = second
            self._stamp = rfc3339(second * _NS)[:-1].encode()
        if rest % 10:  # no zero to cut
            return b"%b.%09dZ" % (self._stamp, rest)
        return b"%b%bZ" % (self._stamp, fraction(rest).encode())


def _logprobs(found: Sequence[TokenLogprob]) -> tuple[bytes, ...]:
    return (b',"logprobs":', _encode(found)) if found else ()


def metrics(timings: Timings, first_ns: int | None, now_ns: int, usage: Usage | None) -> bytes:
    """Counts of the engine and durations that add up to the total. Zero is absent, as with Ollama.

    load: until the request left for the engine; prompt_eval: from then to the first token; eval: the rest. Where tokens
    were generated, eval is never zero, even if they all came at once: clients divide by it.
    """
    first = now_ns if first_ns is None else first_ns
    if usage and usage.completion_tokens and timings.dispatched_ns + 1 < now_ns:
        first = min(first, now_ns - 1)
    fields = (
        ("total_duration", now_ns - timings.started_ns),
        ("load_duration", timings.dispatched_ns - timings.started_ns),
        ("prompt_eval_count", usage.prompt_tokens if usage else 0),
        ("prompt_eval_duration", first - timings.dispatched_ns),
        ("eval_count", usage.completion_tokens if usage else 0),
        ("eval_duration", now_ns - first),
    )
    return "".join(f',"{name}":{value}' for name, value in fields if value > 0).encode()
