"""POST /api/embed and its older form /api/embeddings for vLLM: /v1/embeddings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec

from ..dialects import go_json
from ..dialects.answer import Answer
from ..dialects.bounds import DEFAULT, Bounds
from ..dialects.dialect import Operation
from ..dialects.errors import EngineError
from ..http.errors import BadRequestError
from . import engine_errors, ollama_requests, options
from .exchange import Backend, Exchange, Reply, Timings, Usage

_TOO_LONG: Final = go_json.encode({"error": "the input length exceeds the context length"})
_BAD_REQUEST: Final = 400
_TOLERANCE: Final = 1e-3
"""How far from 1 a vector's length may be to count as normalised."""


class _Vector(msgspec.Struct, gc=False):
    embedding: list[float]
    index: int = 0


class _Body(msgspec.Struct):
    data: list[_Vector]
    usage: Usage | None = None


_DECODE: Final = msgspec.json.Decoder(_Body).decode


def translate(body: bytes, backend: Backend) -> Exchange | Answer:
    """/api/embed: one text or several, normalised vectors, with metrics. Raises BadRequestError."""
    request = ollama_requests.embed(body)
    texts = _texts(request.input)
    if not texts:
        return Answer(body=go_json.encode({"model": request.model, "embeddings": []}))
    params: dict[str, object] = {"model": backend.model, "input": texts, "encoding_format": "float"}
    asked = options.num_ctx(request.options)
    most = _least(asked, backend.context_length)
    warnings = () if most is not None else _context_warnings(asked, backend.context_length)
    if request.truncate is not False:
        params["truncate_prompt_tokens"] = -1 if most is None else most  # -1: to what the model takes
        most = None
    elif most is not None and len(texts) > 1:
        warnings = (f"num_ctx is {most}: of several texts the engine counts the tokens together",)
    return _exchange(params, _Asked(request.model, many=True, dimensions=request.dimensions or 0, most=most), warnings)


def translate_single(body: bytes, backend: Backend) -> Exchange | Answer:
    """/api/embeddings: one text, the vector as the engine gives it. Raises BadRequestError."""
    request = ollama_requests.embedding(body)
    if not request.prompt:
        return Answer(body=go_json.encode({"embedding": []}))
    warnings = _context_warnings(options.num_ctx(request.options), backend.context_length)
    return _exchange(
        {"model": backend.model, "input": request.prompt, "encoding_format": "float"},
        _Asked(request.model, many=False),
        warnings,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the answer depends on."""

    model: str
    many: bool
    dimensions: int = 0
    """Numbers that are kept of each vector; 0: all."""
    most: int | None = None
    """Tokens that a text may have; None: as many as the engine took."""


def _exchange(params: dict[str, object], asked: _Asked, warnings: tuple[str, ...]) -> Exchange:
    return Exchange(
        path="/v1/embeddings",
        body=msgspec.json.encode(params),
        stream=False,
        open=partial(_open, asked, len(params["input"]) if isinstance(params["input"], list) else 1),
        warnings=warnings,
    )


def _open(asked: _Asked, texts: int, timings: Timings, bounds: Bounds = DEFAULT) -> Reply:
    return EmbedReply(asked, texts, timings=timings, bounds=bounds)


def _least(asked: int | None, context_length: int | None) -> int | None:
    """The context that is asked for, where it is less than the model's."""
    return asked if asked is not None and context_length is not None and asked < context_length else None


def _context_warnings(asked: int | None, context_length: int | None) -> tuple[str, ...]:
    return () if asked is None else options.context_warnings(asked, context_length)


def _texts(raw: msgspec.Raw) -> list[str]:
    try:
        value = msgspec.json.decode(raw, type=str | list[str] | None)
    except msgspec.ValidationError as error:
        raise BadRequestError("invalid input type") from error
    if isinstance(value, str):
        return [value] if value else []
    return value or []


class EmbedReply:
    """Implements `exchange.Reply` for embeddings: one document, never a stream."""

    over = False
    """See `exchange.Reply`. A document is over with its body."""

    def __init__(self, asked: _Asked, texts: int, *, timings: Timings, bounds: Bounds = DEFAULT) -> None:
        """`texts`: how many were sent."""
        self._asked = asked
        self._texts = texts
        self._timings = timings
        self._bounds = bounds
        self._body = bytearray()
        self.usage: Usage | None = None
        self.first_ns: int | None = None
        self.failed = False

    def feed(self, raw: bytes, now_ns: int) -> bytes:
        """See `exchange.Reply`."""
        self._body += raw
        if len(self._body) > self._bounds.answer_bytes:
            raise self._bounds.large_answer()
        return b""

    def close(self, now_ns: int) -> bytes:
        """See `exchange.Reply`."""
        return self.answer(now_ns).body

    def answer(self, now_ns: int) -> Answer:
        """See `exchange.Reply`."""
        try:
            found = _DECODE(self._body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise EngineError(engine_errors.running(f"the engine sent what is no embedding: {error}")) from error
        vectors = [vector.embedding for vector in sorted(found.data, key=lambda vector: vector.index)]
        self.usage = found.usage
        if self._is_too_long():
            return Answer(body=_TOO_LONG, status=_BAD_REQUEST)
        if self._asked.many:
            return Answer(body=self._document([self._cut(vector) for vector in vectors], now_ns))
        if not vectors:
            raise EngineError(engine_errors.running("the engine sent no embedding"))
        return Answer(body=go_json.encode({"embedding": vectors[0]}))

    def _is_too_long(self) -> bool:
        """Whether a text is longer than it may be: known of one, and of several where they are so on the average."""
        most, usage = self._asked.most, self.usage
        return most is not None and usage is not None and usage.prompt_tokens > most * self._texts

    def _cut(self, vector: Sequence[float]) -> Sequence[float]:
        """As Ollama cuts a vector of any model: its first numbers, of length 1 again."""
        most = self._asked.dimensions
        return _normalised(vector[:most] if 0 < most < len(vector) else vector)

    def refused(self, status: int, body: bytes) -> Answer:
        """See `exchange.Reply`."""
        return engine_errors.translated(status, body, model=self._asked.model, operation=Operation.EMBED)

    def _document(self, vectors: list[Sequence[float]], now_ns: int) -> bytes:
        document: dict[str, object] = {"model": self._asked.model, "embeddings": vectors}
        numbers = {
            "total_duration": now_ns - self._timings.started_ns,
            "load_duration": self._timings.dispatched_ns - self._timings.started_ns,
            "prompt_eval_count": self.usage.prompt_tokens if self.usage else 0,
        }
        return go_json.encode(document | {name: value for name, value in numbers.items() if value > 0})


def _normalised(vector: Sequence[float]) -> Sequence[float]:
    length = math.sqrt(math.fsum(value * value for value in vector))
    if length == 0 or abs(length - 1) < _TOLERANCE:
        return vector
    return [value / length for value in vector]
