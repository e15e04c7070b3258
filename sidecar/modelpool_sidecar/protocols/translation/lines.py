"""Ollama's answer lines as bytes, built from constant pieces: this runs once per token."""

from collections.abc import Sequence
from enum import Enum
from typing import Final

from .. import gojson
from ..durations import fraction, rfc3339
from .chunks import TokenLogprob
from .exchange import Timings, Usage
from .toolcalls import ToolCall

_NS: Final = 1_000_000_000
_TENTH: Final = 100_000_000
_NEVER: Final = -(1 << 62)
_encode: Final = gojson.encode
_quoted: Final = gojson.quoted
_find_escaped: Final = gojson.find_escaped


class Shape(Enum):
    """Where the text stands: what comes before it, and after it and its companions."""

    CHAT = ('","message":{"role":"assistant","content":', "}")
    GENERATE = ('","response":', "")


class Lines:
    """Writes the lines of one answer."""

    def __init__(self, *, model: str, shape: Shape, timings: Timings) -> None:
        self._shape = shape
        before, after = shape.value
        self._after = after
        self._head = f'{{"model":{_encode(model).decode()},"created_at":"'
        self._before = f"Z{before}"
        self._open = f'{after},"done":false}}\n'
        self._timings = timings
        self._offset = timings.epoch_ns - timings.started_ns
        self._second_ns = _NEVER
        self._begin = ""

    def texts(self, texts: Sequence[str], now_ns: int) -> bytes:
        """The frequent lines: some content and nothing else. No text may be empty."""
        rest = now_ns - self._second_ns
        if len(texts) == 1 and _TENTH <= rest < _NS and rest % 10 and _find_escaped(texts[0]) is None:  # nearly always
            return f'{self._begin}.{rest}{self._before}"{texts[0]}"{self._open}'.encode()
        before, after = self._until_text(now_ns), self._open
        return "".join([f"{before}{_quoted(text)}{after}" for text in texts]).encode()

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
        parts = [self._until_text(now_ns).encode(), _encode(content)]
        if thinking:
            parts += (b',"thinking":', _encode(thinking))
        if calls:
            parts += (b',"tool_calls":', _encode(calls))
        parts.append(self._after.encode())
        return parts

    def _until_text(self, now_ns: int) -> str:
        rest = now_ns - self._second_ns
        if not 0 <= rest < _NS:
            second, rest = divmod(now_ns + self._offset, _NS)
            self._second_ns = now_ns - rest
            self._begin = self._head + rfc3339(second * _NS)[:-1]
        if rest >= _TENTH and rest % 10:  # no zero to add or to cut
            return f"{self._begin}.{rest}{self._before}"
        return f"{self._begin}{fraction(rest)}{self._before}"


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
