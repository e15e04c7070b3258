"""The routes document, version 1: what an operator says about one pool, and how it is read.

Knows the JSON and nothing about readiness. Unknown fields are ignored, so that a newer operator may add some; an
unknown version or engine is an error, because guessing would send requests to the wrong place.

Who writes a document is not trusted: what is read here can be sorted, shown, sent in a header and connected to without
an error. Every bound is at least as wide as the CRD's.
"""

import datetime
from collections.abc import Container
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from ..http.urls import shown
from .addressing import objection_to_url


class InvalidRoutesError(ValueError):
    """The bytes are no routes document of version 1; the message says where and why."""


class PoolRef(NamedTuple):
    """The identity of a ModelPool."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class ModelKey(NamedTuple):
    """A model of a pool, by its own name and never by an alias."""

    pool: PoolRef
    name: str


Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""What JSON can say again."""
ObjectName = Annotated[str, Meta(max_length=253, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?\Z")]
"""The name of a Kubernetes object, RFC 1123."""
ServiceName = Annotated[str, Meta(max_length=63, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z")]
ModelName = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[!-~]+\Z")]
"""Visible ASCII: it goes into headers, logs and metrics."""
Word = Annotated[str, Meta(max_length=256, pattern=r"^[ -~]*\Z")]
"""What is shown and not looked up."""

UNDATED, _LAST = (datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) for year in (1970, 9999))
"""`UNDATED`: nobody has said when."""


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """Which pool wrote the document. `created` decides who keeps a name that two pools claim.

    In a cluster it is not the document's to say: a source puts in its place when the API server made the ModelPool.
    """

    namespace: ObjectName
    name: ObjectName
    created: Annotated[datetime.datetime, Meta(tz=True)] = UNDATED
    generation: Count = 0
    uid: Word = ""
    """Of the ModelPool. In a cluster not the document's to say either; a file's pool has none."""

    def __post_init__(self) -> None:
        if not UNDATED <= self.created < _LAST:
            raise ValueError(f"`created` must be from {UNDATED.year} to {_LAST.year - 1}")

    @property
    def ref(self) -> PoolRef:
        """The identity alone."""
        return PoolRef(self.namespace, self.name)


class QueueLimits(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many requests may wait for one backend of the pool, and for how long."""

    max_pending: Annotated[int, Meta(ge=0, le=1_000_000)] = 256
    timeout_seconds: Annotated[float, Meta(ge=0, le=1_000_000)] = 60.0


Capabilities = Annotated[tuple[Word, ...], Meta(max_length=64)]
_SHOWN = 200
"""Characters of what was refused that a message repeats."""


class BackendEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One way to serve a model: a Service and port of the pool's namespace, or a URL where there is no cluster."""

    engine: Word
    """The kind of engine that runs there, one of those that the gateway knows."""
    model: ModelName
    """The name to ask the engine for."""
    max_concurrency: Annotated[int, Meta(ge=1, le=1_000_000)] = 16
    """Requests that one endpoint may work on at once."""
    service: ServiceName | None = None
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    url: str | None = None
    capabilities: Capabilities | None = None
    """What this backend can do when it differs from the model, as a fallback may."""
    starts_on_demand: bool = False
    """Without requests it has no endpoint, and with some it gets one: who asks then waits for it."""
    keyed: bool = False
    """It asks for the pool's key. One that does not, as after an update, takes no notice of it."""

    def __post_init__(self) -> None:
        if (self.url is None) == (self.service is None):
            raise ValueError("must have exactly one of `url` and `service`")
        if self.service is not None and self.port is None:
            raise ValueError("must have `port` beside `service`")
        if self.url is not None and (wrong := objection_to_url(self.url)) is not None:
            raise ValueError(f"`url` {wrong}, got {shown(self.url)[:_SHOWN]!r}")


Number = Annotated[float, Meta(ge=-1e9, le=1e9)]
Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Stops = Annotated[tuple[Annotated[str, Meta(max_length=1024)], ...], Meta(max_length=64)]


class Parameters(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a model samples where a request in Ollama's dialect does not say, named as in a Modelfile."""

    temperature: Number | None = None
    top_k: Integer | None = None
    top_p: Number | None = None
    min_p: Number | None = None
    repeat_penalty: Number | None = None
    presence_penalty: Number | None = None
    frequency_penalty: Number | None = None
    seed: Integer | None = None
    num_predict: Integer | None = None
    stop: Stops | None = None

    def as_options(self) -> dict[str, object]:
        """Those that are said, as a request's `options` say them."""
        found: dict[str, object] = msgspec.to_builtins(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One model: its names, what it can do, and its backends in order of preference."""

    name: ModelName
    aliases: Annotated[tuple[ModelName, ...], Meta(max_length=256)] = ()
    capabilities: Capabilities | None = None
    """None when the document does not say: then nothing is refused for want of a capability."""
    context_length: Count | None = None
    """Tokens that it is served with."""
    trained_context_length: Count | None = None
    embedding_length: Count | None = None
    """Numbers of an embedding, or of a hidden state."""
    parameter_size: Word | None = None
    quantization: Word | None = None
    family: Word | None = None
    """Its architecture, as Ollama names it."""
    parameters: Parameters | None = None
    size_bytes: Count | None = None
    """Of the weights."""
    memory_bytes: Count | None = None
    """Of the card, as planned, while the model is resident."""
    backends: Annotated[tuple[BackendEntry, ...], Meta(max_length=64)] = ()


MOST_MODELS = 4096
"""Models and adapters of one document: each has series in the metrics. The CRD lets a pool have about 550."""


class RoutesDocument(msgspec.Struct, frozen=True, kw_only=True):
    """All that one pool serves."""

    version: Literal[1]
    pool: Pool
    queue: QueueLimits = QueueLimits()
    models: Annotated[tuple[ModelEntry, ...], Meta(max_length=MOST_MODELS)] = ()


_DECODER = msgspec.json.Decoder(RoutesDocument)
_ONE_OR_MANY = msgspec.json.Decoder(RoutesDocument | list[RoutesDocument])


def parse(data: bytes | str, engines: Container[str]) -> RoutesDocument:
    """Read one document; raises InvalidRoutesError with the path of the first offending field.

    `engines`: the kinds that are known.
    """
    try:
        found = _DECODER.decode(data)
    except _UNREADABLE as error:
        raise InvalidRoutesError(_described(error)) from error
    _check_engines(found, engines)
    return found


def parse_all(data: bytes | str, engines: Container[str]) -> tuple[RoutesDocument, ...]:
    """Read one document or a list of them; see `parse`."""
    try:
        found = _ONE_OR_MANY.decode(data)
    except _UNREADABLE as error:
        raise InvalidRoutesError(_described(error)) from error
    routes = tuple(found) if isinstance(found, list) else (found,)
    for one in routes:
        _check_engines(one, engines)
    return routes


def _check_engines(document: RoutesDocument, engines: Container[str]) -> None:
    for number, model in enumerate(document.models):
        for place, item in enumerate(model.backends):
            if item.engine not in engines:
                where = f"$.models[{number}].backends[{place}].engine"
                raise InvalidRoutesError(f"unknown engine {item.engine!r} - at `{where}`")


_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)
"""What a decoder raises over bytes: wrong JSON or shape, no Unicode, too deep, a number that is none."""


def _described(error: Exception) -> str:
    return str(error)[:1000]
