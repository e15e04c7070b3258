"""vLLM's answer to a chat or a completion, on its way to an Ollama client.

One Reply per try. Text goes out as it comes in; what must wait is held: tool calls until they are whole, and some
thinking (see `message_assembler`).
"""

from collections.abc import Callable
from typing import Final

from ..dialects import ndjson, sse
from ..dialects.answer import Answer
from ..dialects.bounds import DEFAULT, Bounds
from ..dialects.dialect import Dialect, Operation
from ..dialects.errors import EngineError, error_body
from ..http.errors import BadRequestError
from . import engine_chunks, engine_errors, repeated_chunks
from .delivery import AtOnce, Delivery, LineByLine
from .engine_chunks import Choice, Chunk
from .exchange import Timings, Usage
from .message_assembler import MessageAssembler
from .ollama_lines import Lines, Shape
from .repeated_chunks import Pattern

_DONE: Final = b"[DONE]"
_END: Final = b"\n\n"
_FIRST_BYTES: Final = 512
_STEP_BYTES: Final = 8 * 1024
"""How much is read at once at most, or up to the next event's end: what is learnt in it shortens the rest."""
_LENGTH: Final = "length"
_BROKEN: Final = frozenset({"abort", "error"})
"""Reasons that mean the engine gave up: a stop by SIGTERM, a fault inside."""
_READ_BYTES: Final = 32 * 1024
"""What came at once is read in pieces of this size, because each step copies what is left."""
PATTERNS: Final = 16
"""How often a stream may change the form of its events before no more is expected of any form."""


class TextReply:
    """Implements `exchange.Reply` for generate and chat. `ids`: of the conversation's tool calls so far."""

    def __init__(
        self,
        *,
        model: str,
        operation: Operation,
        stream: bool,
        thinking: bool | None,
        timings: Timings,
        bounds: Bounds = DEFAULT,
        ids: Callable[[], set[str]] = set,
    ) -> None:
        lines = Lines(model=model, shape=Shape.CHAT if operation is Operation.CHAT else Shape.GENERATE, timings=timings)
        self._model = model
        self._operation = operation
        self._stream = stream
        self._to: Delivery = LineByLine(lines) if stream else AtOnce(lines)
        self._lines = lines
        self._timings = timings
        self._bounds = bounds
        self.held = 0
        """Bytes of the engine of which some may be kept: those since something was given, or since a call began."""
        self._calling = False  # whether a tool call has begun that is not whole
        self._events = sse.Decoder(bounds)
        self._document: bytearray | None = None
        self._patterns = 0
        self._learnt: Pattern | None = None
        self._expected: Pattern | None = None
        self._plain: Pattern | None = None
        self._cut = b""
        self._said = MessageAssembler(self._to, may_think=thinking is not False, ids=ids, seed=timings.epoch_ns)
        self._finish: str | None = None
        self._opened = False
        self.given = False
        """Whether the caller has seen something of it."""
        self.over = False
        self.usage: Usage | None = None
        self.failed = False

    @property
    def first_ns(self) -> int | None:
        """See `exchange.Reply`."""
        return self._said.first_ns

    def feed(self, raw: bytes, now_ns: int) -> bytes:
        """See `exchange.Reply`."""
        if self._cut:
            raw, self._cut = self._cut + raw, b""
        if self._plain is not None and (text := self._plain.plain(raw)) is not None:
            return self._lines.plain(text, now_ns)
        if len(raw) > _READ_BYTES:
            pieces = [raw[begin : begin + _READ_BYTES] for begin in range(0, len(raw), _READ_BYTES)]
            return b"".join([self.feed(piece, now_ns) for piece in pieces])
        if self._learnt is not None:
            raw, self._cut = sse.whole_lines(raw)
        given: list[bytes] = []
        while raw and not self.over:
            if self._plain is not None and (found := self._plain.plains(raw)) is not None:
                texts, raw = found
                given.append(self._lines.plains(texts, now_ns))
                continue
            end = raw.find(_END, _FIRST_BYTES if self._learnt is None else _STEP_BYTES) + len(_END)
            step = raw[:end] if end >= len(_END) else raw
            raw = raw[len(step) :]
            given.append(self._read(step, now_ns))
            self._plain = self._expected if given[-1] and self._is_plain else None
        return given[0] if len(given) == 1 else b"".join(given)

    @property
    def _is_plain(self) -> bool:
        """Whether texts that are like those before can go past everything here: they begin, end and change nothing."""
        return self._expected is not None and not self._expected.thought and self._said.plain

    def _read(self, raw: bytes, now_ns: int) -> bytes:
        self.held += len(raw)
        if self.held > self._bounds.answer_bytes:
            return self._fail(self._bounds.large_answer())
        if self._expected is not None:
            texts, raw = self._expected.texts(raw)
            self._said.hear(texts, self._expected.thought, now_ns)
            if not raw:
                return self._flush()
        if not self._opened and raw:
            self._opened = True
            if raw.lstrip().startswith(b"{"):  # one document
                self._document = bytearray()
        if self._document is not None:
            self._document += raw
            return b""
        try:
            for event in self._events.feed(raw):
                self._event(event.data, now_ns)
        except (EngineError, BadRequestError) as fault:
            return self._fail(fault)
        self._expected = self._learnt if self._events.between and not self.over else None
        return self._flush()

    def close(self, now_ns: int) -> bytes:
        """See `exchange.Reply`."""
        try:
            self._end(now_ns)
        except (EngineError, BadRequestError) as fault:
            return self._fail(fault)
        return self._flush()

    def answer(self, now_ns: int) -> Answer:
        """See `exchange.Reply`."""
        self._end(now_ns)
        self._deliver(now_ns)
        return Answer(body=self._to.flush())

    def refused(self, status: int, body: bytes) -> Answer:
        """See `exchange.Reply`."""
        return engine_errors.translated(status, body, model=self._model, operation=self._operation)

    def _event(self, data: bytes, now_ns: int) -> None:
        if self.over:
            return
        if data == _DONE:
            self.over = True
            self._finished(now_ns)
            return
        if self._learnt is not None and (text := self._learnt.text(data)) is not None:
            if text:
                self._said.hear((text,), self._learnt.thought, now_ns)
            return
        try:
            chunk = engine_chunks.decode(data)
        except engine_chunks.FAULTS:
            self._take(engine_errors.read_by_go(data), now_ns)
            return
        self._take(chunk, now_ns)
        if self._patterns < PATTERNS and (pattern := repeated_chunks.learn(data, chunk)) is not None:
            self._patterns += 1
            self._learnt = pattern

    def _take(self, chunk: Chunk, now_ns: int) -> None:
        if chunk.error is not None:
            raise engine_errors.in_stream(chunk.error)
        if chunk.usage is not None:
            self.usage = chunk.usage
        for choice in chunk.choices:
            if choice.index == 0:
                self._choice(choice, now_ns)

    def _choice(self, choice: Choice, now_ns: int) -> None:
        if choice.logprobs is not None:
            self._to.logprobs(engine_chunks.token_logprobs(choice.logprobs))
        delta = choice.delta or choice.message
        if delta is not None:
            if thought := delta.reasoning or delta.reasoning_content:
                self._said.think(thought, now_ns)
            if delta.content:
                self._said.say(delta.content, now_ns)
            if delta.tool_calls:
                self._said.call(delta.tool_calls, now_ns, whole=choice.message is not None)
                self._calling = True
        elif choice.text:
            self._said.say(choice.text, now_ns)
        if choice.finish_reason is not None:
            self._finish = choice.finish_reason
            if self._finish in _BROKEN:
                raise EngineError(engine_errors.running(f"the engine ended the answer early ({self._finish})"))
            self._said.end_calls(self._finish, now_ns)
            self._calling = False

    def _finished(self, now_ns: int) -> None:
        if self._finish is None:
            raise EngineError(engine_errors.running("the engine ended the answer without a reason"))
        self._said.finish(now_ns)
        if self._stream:
            self._deliver(now_ns)

    def _deliver(self, now_ns: int) -> None:
        done_reason = "length" if self._finish == _LENGTH else "stop"
        # The time of a document is not parted: all counts as the answer's but for a bit, as clients divide by both.
        first = self.first_ns if self._document is None else self._timings.dispatched_ns + 1
        self._to.end(now_ns, done_reason=done_reason, first_ns=first, usage=self.usage)

    def _end(self, now_ns: int) -> None:
        if self.over:
            return
        if self._document is not None:
            self._event(bytes(self._document), now_ns)
            self._event(_DONE, now_ns)
            return
        self._events.feed(self._cut)
        for event in self._events.close():
            self._event(event.data, now_ns)
        if not self.over:
            raise EngineError(engine_errors.running("unexpected EOF"))

    def _flush(self) -> bytes:
        if not self._stream:
            return b""
        given = self._to.flush()
        if given:
            self.given = True
            if not self._calling:
                self.held = 0
        return given

    def _fail(self, fault: EngineError | BadRequestError) -> bytes:
        """The error line, or the fault itself while the caller has seen nothing."""
        self.over = True
        self._expected = None
        self.failed = True
        given = self._flush()
        if not self.given:
            raise type(fault)(fault.message, status=fault.status)  # else this frame and it keep each other
        return given + ndjson.encode(error_body(Dialect.OLLAMA, fault.status, fault.message))
