"""The routes document, version 1: what an operator says about one pool, and how it is read.

Knows the JSON and nothing about readiness. Unknown fields are ignored, so that a newer operator may add some; an
unknown version or engine is an error, because guessing would send requests to the wrong place.
"""

import datetime
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

import msgspec


class InvalidRoutesError(ValueError):
    """The bytes are no routes document of version 1; the message says where and why."""


class Engine(StrEnum):
    """What a backend runs. The dialects it speaks follow from it."""

    VLLM = "vllm"
    OLLAMA = "ollama"
    __hash__ = str.__hash__  # Enum's own is written in Python, and this is looked up for every request


class PoolRef(NamedTuple):
    """The identity of a ModelPool."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """Which pool wrote the document. `created` decides who keeps a name that two pools claim."""

    namespace: str
    name: str
    created: datetime.datetime = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    generation: int = 0

    @property
    def ref(self) -> PoolRef:
        """The identity alone."""
        return PoolRef(self.namespace, self.name)


class QueueLimits(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many requests may wait for one backend of the pool, and for how long."""

    max_pending: Annotated[int, msgspec.Meta(ge=0)] = 256
    timeout_seconds: Annotated[float, msgspec.Meta(ge=0)] = 60.0


class BackendEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One way to serve a model: a Service and port of the pool's namespace, or a URL where there is no cluster."""

    engine: Engine
    model: Annotated[str, msgspec.Meta(min_length=1)]
    """The name to ask the engine for."""
    max_concurrency: Annotated[int, msgspec.Meta(ge=1)] = 16
    """Requests that one endpoint may work on at once."""
    service: str | None = None
    port: int | None = None
    url: str | None = None
    capabilities: tuple[str, ...] | None = None
    """What this backend can do when it differs from the model, as a fallback may."""
    starts_on_demand: bool = False
    """Without requests it has no endpoint, and with some it gets one: who asks then waits for it."""

    def __post_init__(self) -> None:
        if (self.url is None) == (self.service is None):
            raise ValueError("must have exactly one of `url` and `service`")
        if self.service is not None and self.port is None:
            raise ValueError("must have `port` beside `service`")
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            raise ValueError(f"`url` must start with http:// or https://, got {self.url!r}")


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One model: its names, what it can do, and its backends in order of preference."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    aliases: tuple[str, ...] = ()
    capabilities: tuple[str, ...] | None = None
    """None when the document does not say: then nothing is refused for want of a capability."""
    context_length: int | None = None
    parameter_size: str | None = None
    quantization: str | None = None
    family: str | None = None
    size_bytes: int | None = None
    """Of the weights."""
    memory_bytes: int | None = None
    """Of the card, as planned, while the model is resident."""
    backends: tuple[BackendEntry, ...] = ()


class RoutesDocument(msgspec.Struct, frozen=True, kw_only=True):
    """All that one pool serves."""

    version: Literal[1]
    pool: Pool
    queue: QueueLimits = QueueLimits()
    models: tuple[ModelEntry, ...] = ()


_DECODER = msgspec.json.Decoder(RoutesDocument)
_ONE_OR_MANY = msgspec.json.Decoder(RoutesDocument | list[RoutesDocument])


def parse(data: bytes | str) -> RoutesDocument:
    """Read one document; raises InvalidRoutesError with the path of the first offending field."""
    try:
        return _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise InvalidRoutesError(str(error)) from error


def parse_all(data: bytes | str) -> tuple[RoutesDocument, ...]:
    """Read one document or a list of them; raises InvalidRoutesError."""
    try:
        found = _ONE_OR_MANY.decode(data)
    except msgspec.MsgspecError as error:
        raise InvalidRoutesError(str(error)) from error
    return tuple(found) if isinstance(found, list) else (found,)
