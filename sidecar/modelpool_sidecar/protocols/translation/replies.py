"""vLLM's answer to a chat or a completion, on its way to an Ollama client.

One Reply per try. Text goes out as it comes in; what must wait is held: tool calls until they are whole, and, when
thinking was switched off, what the engine's parser still takes for thinking, because it may turn out to be the answer
itself.
"""

from typing import Final

import msgspec

from .. import ndjson, sse
from ..answer import Answer
from ..dialect import Dialect, Operation
from ..errors import EngineError, error_body
from . import chunks, faults
from .chunks import Choice, Chunk, TokenLogprob
from .exchange import Timings, Usage
from .lines import Lines, Shape, ToolCall
from .toolcalls import Collector

_DONE: Final = b"[DONE]"
_LENGTH: Final = "length"
_BROKEN: Final = frozenset({"abort", "error"})
"""Reasons that mean the engine gave up: a stop by SIGTERM, a fault inside."""


class TextReply:
    """Implements `exchange.Reply` for generate and chat."""

    def __init__(
        self, *, model: str, operation: Operation, stream: bool, thinking: bool | None, timings: Timings
    ) -> None:
        shape = Shape.CHAT if operation is Operation.CHAT else Shape.GENERATE
        self._model = model
        self._operation = operation
        self._stream = stream
        self._decoder = sse.Decoder()
        self._document: list[bytes] | None = None
        self._opened = False
        self._lines = Lines(model=model, shape=shape, timings=timings)
        self._tools = Collector(seed=timings.epoch_ns)
        self._withheld: list[str] | None = [] if thinking is False else None
        self._out: list[bytes] = []
        self._content: list[str] = []
        self._thinking: list[str] = []
        self._calls: list[ToolCall] = []
        self._logprobs: list[TokenLogprob] = []
        self._said = False
        self._after_thought = False
        self._thought_space = ""
        self._finish: str | None = None
        self._over = False
        self.usage: Usage | None = None
        self.first_ns: int | None = None
        self.failed = False

    def feed(self, raw: bytes, now_ns: int) -> bytes:
        """See `exchange.Reply`."""
        if not self._opened and raw:
            self._opened = True
            if raw.lstrip().startswith(b"{"):  # an engine that ignores `stream` and sends one document
                self._document = []
        if self._document is not None:
            self._document.append(raw)
            return b""
        try:
            for event in self._decoder.feed(raw):
                self._event(event.data, now_ns)
        except EngineError as fault:
            return self._fail(fault)
        return self._flush()

    def close(self, now_ns: int) -> bytes:
        """See `exchange.Reply`."""
        try:
            self._end(now_ns)
        except EngineError as fault:
            return self._fail(fault)
        return self._flush()

    def answer(self, now_ns: int) -> Answer:
        """See `exchange.Reply`."""
        self._end(now_ns)
        return Answer(body=self._last(now_ns).rstrip(b"\n"))

    def refused(self, status: int, body: bytes) -> Answer:
        """See `exchange.Reply`."""
        return faults.translated(status, body, model=self._model, operation=self._operation)

    def _event(self, data: bytes, now_ns: int) -> None:
        if self._over:
            return
        if data == _DONE:
            self._over = True
            self._finished(now_ns)
            return
        try:
            chunk = chunks.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise EngineError(faults.running(f"the engine sent what is no answer: {error}")) from error
        self._take(chunk, now_ns)

    def _take(self, chunk: Chunk, now_ns: int) -> None:
        if chunk.error is not None:
            message = chunk.error if isinstance(chunk.error, str) else chunk.error.message
            raise EngineError(faults.running(message))
        if chunk.usage is not None:
            self.usage = chunk.usage
        for choice in chunk.choices:
            if choice.index == 0:
                self._choice(choice, now_ns)

    def _choice(self, choice: Choice, now_ns: int) -> None:
        if choice.logprobs is not None:
            self._logprobs += chunks.token_logprobs(choice.logprobs)
        delta = choice.delta or choice.message
        if delta is not None:
            if thought := delta.reasoning or delta.reasoning_content:
                self._think(thought, now_ns)
            if delta.content:
                self._say(delta.content, now_ns)
            if delta.tool_calls:
                self._begin(now_ns)
                self._call(self._tools.take(delta.tool_calls), now_ns)
        elif choice.text:
            self._say(choice.text, now_ns)
        if choice.finish_reason is not None:
            self._finish = choice.finish_reason
            if self._finish in _BROKEN:
                raise EngineError(faults.running(f"the engine ended the answer early ({self._finish})"))
            self._call(self._tools.finish(), now_ns)

    def _begin(self, now_ns: int) -> None:
        if self.first_ns is None:
            self.first_ns = now_ns

    def _say(self, text: str, now_ns: int) -> None:
        self._begin(now_ns)
        self._release(now_ns)
        if self._after_thought:  # Ollama cuts the space between thinking and answer
            text = text.lstrip()
            if not text:
                return
            self._after_thought = False
        if not self._stream:
            self._content.append(text)
        elif self._logprobs:
            self._out.append(self._lines.piece(now_ns, content=text, logprobs=self._logprobs))
            self._logprobs = []
        else:
            self._out.append(self._lines.text(text, now_ns))

    def _think(self, text: str, now_ns: int) -> None:
        self._begin(now_ns)
        if self._withheld is not None:
            self._withheld.append(text)
            return
        self._after_thought = True
        text, self._thought_space = _without_end(self._thought_space + text)
        if not text:
            return
        if not self._stream:
            self._thinking.append(text)
        else:
            self._out.append(self._lines.piece(now_ns, thinking=text, logprobs=self._logprobs))
            self._logprobs = []

    def _call(self, calls: list[ToolCall | str], now_ns: int) -> None:
        for call in calls:
            if isinstance(call, str):
                self._say(call, now_ns)
                continue
            self._release(now_ns)
            if self._stream:
                self._out.append(self._lines.piece(now_ns, calls=[call], logprobs=self._logprobs))
                self._logprobs = []
            else:
                self._calls.append(call)

    def _release(self, now_ns: int) -> None:
        """Content has come, so what was withheld was thinking after all."""
        if self._withheld is not None:
            withheld, self._withheld = "".join(self._withheld), None
            if withheld:
                self._think(withheld, now_ns)

    def _finished(self, now_ns: int) -> None:
        if self._finish is None:
            raise EngineError(faults.running("the engine ended the answer without a reason"))
        if self._withheld:  # nothing but "thinking" came, with thinking off: it was the answer
            withheld, self._withheld = "".join(self._withheld), None
            self._say(withheld, now_ns)
        if self._stream:
            self._out.append(self._last(now_ns))

    def _last(self, now_ns: int) -> bytes:
        return self._lines.last(
            now_ns,
            done_reason="length" if self._finish == _LENGTH else "stop",
            first_ns=self.first_ns,
            usage=self.usage,
            content="".join(self._content),
            thinking="".join(self._thinking),
            calls=self._calls,
            logprobs=self._logprobs,
        )

    def _end(self, now_ns: int) -> None:
        if self._over:
            return
        if self._document is not None:
            self._event(b"".join(self._document), now_ns)
            self._event(_DONE, now_ns)
            return
        for event in self._decoder.close():
            self._event(event.data, now_ns)
        if not self._over:
            raise EngineError(faults.running("unexpected EOF"))

    def _flush(self) -> bytes:
        if not self._out:
            return b""
        out = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        self._said = True
        return out

    def _fail(self, fault: EngineError) -> bytes:
        """The error line, or the fault itself while the caller has seen nothing."""
        self._over = True
        self.failed = True
        given = self._flush()
        if not self._said:
            raise fault
        return given + ndjson.encode(error_body(Dialect.OLLAMA, fault.status, fault.message))


def _without_end(text: str) -> tuple[str, str]:
    """The text, and the white space it ends in."""
    kept = text.rstrip()
    return kept, text[len(kept) :]
