"""The routing table: a value, replaced whole, never edited. Knows no socket and no clock.

`table_building` makes it when documents or addresses changed, `table_refreshing` when something was learnt of a single
address, and `discovery.directory` swaps it in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from . import documents
from .documents import ModelKey, PoolRef


class BackendKey(NamedTuple):
    """What shares one queue and one account of running requests: an engine's service (or URL) in one pool.

    All models of one Ollama share it; each vLLM model has its own.
    """

    pool: PoolRef
    address: str

    def __str__(self) -> str:
        return f"{self.pool}/{self.address}"


class ServiceRef(NamedTuple):
    """The port of a Kubernetes Service, or a bare URL with no namespace."""

    namespace: str
    name: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One place where a service answers, and whether the source believes it ready."""

    url: str
    ready: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What was last learnt about one address by asking it, or by failing to reach it."""

    alive: bool
    models: frozenset[str] | None = None
    """Names the engine says it holds, each `folded`; None when that was not asked."""
    returning: bool = False
    """Whether it was alive moments ago, so that it is worth waiting for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One address of a backend. `ready` is about the backend's model, not the process alone."""

    url: str
    ready: bool
    returning: bool = False
    """Not ready, but it was moments ago, and is asked all the time whether it is again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One way to serve a model, with its live endpoints."""

    key: BackendKey
    engine: str
    model: str
    max_concurrency: int
    capabilities: frozenset[str] | None
    endpoints: tuple[Endpoint, ...]
    service: ServiceRef
    starts_on_demand: bool = False
    authorization: bytes = field(default=b"", repr=False)
    """The header line that the engine asks for, or nothing. A secret."""
    ready_endpoints: tuple[Endpoint, ...] = field(init=False)
    """Those that would take a request now."""

    def __post_init__(self) -> None:
        """Look once for what every request asks."""
        ready = tuple(one for one in self.endpoints if one.ready)
        object.__setattr__(self, "ready_endpoints", self.endpoints if len(ready) == len(self.endpoints) else ready)

    @property
    def ready(self) -> bool:
        """Whether any endpoint would take a request now."""
        return bool(self.ready_endpoints)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as clients know it. `entry` keeps the catalogue's facts as the document gave them."""

    name: str
    key: ModelKey
    pool: documents.Pool
    pool_name: str
    """As people read it."""
    queue: documents.QueueLimits
    entry: documents.ModelEntry
    backends: tuple[Backend, ...]
    parameters: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    """How it samples where a request does not say, in the words of Ollama's `options`."""

    @property
    def ready(self) -> bool:
        """Whether any backend would take a request now."""
        return any(backend.ready for backend in self.backends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A name that two pools claim: the older one serves it."""

    name: str
    winner: PoolRef
    loser: PoolRef


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingTable:
    """Everything a request needs to find its way, at one moment."""

    models: tuple[Model, ...] = ()
    names: Mapping[str, Model] = field(default_factory=lambda: MappingProxyType({}))
    conflicts: tuple[Conflict, ...] = ()
    pools: tuple[PoolRef, ...] = ()
    unready: frozenset[tuple[str, str]] = frozenset()
    """Addresses, and what runs there, that lack a model which they should have: looked up at every probe."""
    places: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Which of `models` stand at an address. The same object as long as documents and addresses are the same."""

    def find(self, name: str) -> Model | None:
        """The model that answers to a name or alias; as with Ollama, neither case, nor blanks around it, nor a tag of
        `latest`, nor the default registry and namespace matter."""
        return self.names.get(name) or self.names.get(folded(name))


def folded(name: str) -> str:
    """A model's name without what does not matter in it."""
    return name.strip().lower().removeprefix("registry.ollama.ai/").removeprefix("library/").removesuffix(":latest")


def service_of(pool: documents.Pool, entry: documents.BackendEntry) -> ServiceRef:
    """Where the backend's addresses are looked up."""
    if entry.url is not None:
        return ServiceRef("", entry.url.rstrip("/"), 0)
    return ServiceRef(pool.namespace, entry.service or "", entry.port or 0)
