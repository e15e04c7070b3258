"""Ollama's answer lines as bytes, built from constant pieces: this runs once per token."""

from collections.abc import Sequence
from enum import Enum
from typing import Final

from ..dialects import go_json
from ..dialects.go_json import fraction, rfc3339
from .engine_chunks import TokenLogprob
from .exchange import Timings, ToolCall, Usage

_NS: Final = 1_000_000_000
_TENTH: Final = 100_000_000
_NEVER: Final = -(1 << 62)
_encode: Final = go_json.encode
_quoted: Final = go_json.quoted
_UNDONE: Final = b',"done":false}\n'


class Shape(Enum):
    """Where the text stands: what comes before it, and after it and its companions."""

    CHAT = (b'","message":{"role":"assistant","content":', b"}")
    GENERATE = (b'","response":', b"")


class Lines:
    """Writes the lines of one answer."""

    def __init__(self, *, model: str, shape: Shape, timings: Timings) -> None:
        self._shape = shape
        before, after = shape.value
        self._after = after
        self._head = b'{"model":%b,"created_at":"' % _encode(model)
        self._before = b"Z" + before
        self._begin_text = self._before + b'"'
        self._end_text = b'"' + after + _UNDONE
        self._timings = timings
        self._offset = timings.epoch_ns - timings.started_ns
        self._second_ns = _NEVER
        self._begin = b""

    def plain(self, text: bytes, now_ns: int) -> bytes:
        """The most frequent line: `text` is a JSON string's inside, and needs no escape."""
        rest = now_ns - self._second_ns
        if _TENTH <= rest < _NS and rest % 10:  # nearly always
            return b"".join((self._begin, str(rest).encode(), self._begin_text, text, self._end_text))
        return self.plains([text], now_ns)

    def plains(self, texts: list[bytes], now_ns: int) -> bytes:
        """The same for several, of which there is at least one."""
        before, after = self._until_text(now_ns) + b'"', self._end_text
        return b"".join((before, (after + before).join(texts), after))

    def texts(self, texts: Sequence[str], now_ns: int) -> bytes:
        """The frequent lines: some content and nothing else. No text may be empty."""
        before, after = self._until_text(now_ns), self._after + _UNDONE
        return b"".join([b"%b%b%b" % (before, _quoted(text), after) for text in texts])

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
        parts = [self._until_text(now_ns), _encode(content)]
        if thinking:
            parts += (b',"thinking":', _encode(thinking))
        if calls:
            parts += (b',"tool_calls":', _encode(calls))
        parts.append(self._after)
        return parts

    def _until_text(self, now_ns: int) -> bytes:
        rest = now_ns - self._second_ns
        if not 0 <= rest < _NS:
            second, rest = divmod(now_ns + self._offset, _NS)
            self._second_ns = now_ns - rest
            self._begin = b"%b%b." % (self._head, rfc3339(second * _NS)[:-1].encode())
        if rest >= _TENTH and rest % 10:  # no zero to add or to cut
            return b"%b%d%b" % (self._begin, rest, self._before)
        return b"%b%b%b" % (self._begin[:-1], fraction(rest).encode(), self._before)


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
