"""POST /api/embed and its older form /api/embeddings for vLLM: /v1/embeddings."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from ..dialects import go_json
from ..dialects.answer import Answer
from ..dialects.bounds import DEFAULT, Bounds
from ..dialects.dialect import Operation
from ..dialects.errors import EngineError
from ..http.errors import BadRequestError
from . import engine_errors, ollama_requests
from .exchange import Backend, Exchange, Reply, Timings, Usage

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
    if request.truncate is not False:
        params["truncate_prompt_tokens"] = -1  # to what the model takes
    if request.dimensions:
        params["dimensions"] = request.dimensions
    return _exchange(params, request.model, many=True)


def translate_single(body: bytes, backend: Backend) -> Exchange | Answer:
    """/api/embeddings: one text, the vector as the engine gives it. Raises BadRequestError."""
    request = ollama_requests.embedding(body)
    if not request.prompt:
        return Answer(body=go_json.encode({"embedding": []}))
    return _exchange(
        {"model": backend.model, "input": request.prompt, "encoding_format": "float"}, request.model, many=False
    )


def _exchange(params: dict[str, object], model: str, *, many: bool) -> Exchange:
    return Exchange(
        path="/v1/embeddings",
        body=msgspec.json.encode(params),
        stream=False,
        open=partial(_open, model, many),
    )


def _open(model: str, many: bool, timings: Timings, bounds: Bounds = DEFAULT) -> Reply:
    return EmbedReply(model=model, many=many, timings=timings, bounds=bounds)


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

    def __init__(self, *, model: str, many: bool, timings: Timings, bounds: Bounds = DEFAULT) -> None:
        self._model = model
        self._many = many
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
        if self._many:
            return Answer(body=self._document([_normalised(vector) for vector in vectors], now_ns))
        if not vectors:
            raise EngineError(engine_errors.running("the engine sent no embedding"))
        return Answer(body=go_json.encode({"embedding": vectors[0]}))

    def refused(self, status: int, body: bytes) -> Answer:
        """See `exchange.Reply`."""
        return engine_errors.translated(status, body, model=self._model, operation=Operation.EMBED)

    def _document(self, vectors: list[Sequence[float]], now_ns: int) -> bytes:
        document: dict[str, object] = {"model": self._model, "embeddings": vectors}
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
