"""The routing table: a value, replaced whole, never edited.

Built from routes documents, the addresses behind their services, and what probes and failed requests have told about
each address. Knows no socket and no clock; `proxy.directory` calls `build` when documents or addresses changed
and swaps the result in; what is learnt of a single address is the business of `refreshing`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from sys import intern
from types import MappingProxyType
from typing import NamedTuple

from . import documents
from .demand import ModelKey
from .documents import Engine, PoolRef


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
    """Names the engine says it holds; None when that was not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One address of a backend. `ready` is about the backend's model, not the process alone."""

    url: str
    ready: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One way to serve a model, with its live endpoints."""

    key: BackendKey
    engine: Engine
    model: str
    max_concurrency: int
    capabilities: frozenset[str] | None
    endpoints: tuple[Endpoint, ...]
    service: ServiceRef
    starts_on_demand: bool = False
    ready_endpoints: tuple[Endpoint, ...] = field(init=False)
    """Those that would take a request now."""

    def __post_init__(self) -> None:
        """Look once for what every request asks."""
        object.__setattr__(self, "ready_endpoints", tuple(one for one in self.endpoints if one.ready))

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
    unready: frozenset[tuple[str, Engine]] = frozenset()
    """Addresses, and what runs there, that lack a model which they should have: looked up at every probe."""
    places: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Which of `models` stand at an address. The same object as long as documents and addresses are the same."""

    def find(self, name: str) -> Model | None:
        """The model that answers to a name or alias; as with Ollama, neither case, nor a tag of `latest`, nor the
        default registry and namespace matter."""
        return self.names.get(name) or self.names.get(folded(name))


def folded(name: str) -> str:
    """A model's name without what does not matter in it."""
    return name.lower().removeprefix("registry.ollama.ai/").removeprefix("library/").removesuffix(":latest")


def service_of(pool: documents.Pool, entry: documents.BackendEntry) -> ServiceRef:
    """Where the backend's addresses are looked up."""
    if entry.url is not None:
        return ServiceRef("", entry.url.rstrip("/"), 0)
    return ServiceRef(pool.namespace, entry.service or "", entry.port or 0)


def build(
    routes: Iterable[documents.RoutesDocument],
    addresses: Mapping[ServiceRef, tuple[Address, ...]],
    probed: Mapping[str, Probed],
) -> RoutingTable:
    """One table from all documents. The older pool keeps a contested name; equal ages go by namespace and name."""
    models: list[Model] = []
    names: dict[str, Model] = {}
    conflicts: list[Conflict] = []
    ordered = sorted(routes, key=lambda document: (document.pool.created, document.pool.ref))
    for document in ordered:
        ref = document.pool.ref
        pool_name = str(ref)
        for entry in document.models:
            holder = names.get(folded(entry.name))
            if holder is not None:
                conflicts.append(Conflict(name=entry.name, winner=holder.pool.ref, loser=document.pool.ref))
                continue
            model = _model(document, ref, pool_name, entry, addresses, probed)
            models.append(model)
            names[model.name] = names[folded(entry.name)] = model
        # A pool's own names come before its aliases, so an alias never hides a model of the same pool.
        for entry in document.models:
            owner = names[folded(entry.name)]
            if owner.entry is not entry:  # another model has the name, and none of this one's aliases
                continue
            for alias in entry.aliases:
                holder = names.setdefault(folded(alias), owner)
                if holder is owner:
                    names[alias] = owner
                else:
                    conflicts.append(Conflict(name=alias, winner=holder.pool.ref, loser=document.pool.ref))
    return RoutingTable(
        models=tuple(models),
        names=MappingProxyType(names),
        conflicts=tuple(conflicts),
        pools=tuple(document.pool.ref for document in ordered),
        unready=frozenset(pair for model in models for pair in unready_of(model)),
        places=MappingProxyType(_places(models)),
    )


def endpoints_of(
    service: ServiceRef, model: str, addresses: Mapping[ServiceRef, tuple[Address, ...]], probed: Mapping[str, Probed]
) -> tuple[Endpoint, ...]:
    """The live addresses of a backend that serves this model there."""
    return tuple(
        Endpoint(url=address.url, ready=_is_ready(address, probed.get(address.url), model))
        for address in addresses.get(service, ())
    )


def unready_of(model: Model) -> Iterator[tuple[str, Engine]]:
    """What a model adds to a table's `unready`."""
    for backend in model.backends:
        for endpoint in backend.endpoints:
            if not endpoint.ready:
                yield endpoint.url, backend.engine


def _places(models: Sequence[Model]) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for place, model in enumerate(models):
        for url in {endpoint.url for backend in model.backends for endpoint in backend.endpoints}:
            found.setdefault(url, []).append(place)
    return {url: tuple(places) for url, places in found.items()}


def _model(
    document: documents.RoutesDocument,
    ref: PoolRef,
    pool_name: str,
    entry: documents.ModelEntry,
    addresses: Mapping[ServiceRef, tuple[Address, ...]],
    probed: Mapping[str, Probed],
) -> Model:
    name = intern(entry.name)  # so that what is compared and hashed with each request is there once
    backends = []
    for item in entry.backends:
        service = service_of(document.pool, item)
        named = item.capabilities if item.capabilities is not None else entry.capabilities
        shown = service.name if not service.namespace else f"{service.name}:{service.port}"
        backends.append(
            Backend(
                key=BackendKey(ref, intern(shown)),
                engine=item.engine,
                model=intern(item.model),
                max_concurrency=item.max_concurrency,
                capabilities=None if named is None else frozenset(named),
                endpoints=endpoints_of(service, item.model, addresses, probed),
                service=service,
                starts_on_demand=item.starts_on_demand,
            )
        )
    return Model(
        name=name,
        key=ModelKey(ref, name),
        pool=document.pool,
        pool_name=pool_name,
        queue=document.queue,
        entry=entry,
        backends=tuple(backends),
    )


def _is_ready(address: Address, probed: Probed | None, model: str) -> bool:
    if not address.ready:
        return False
    if probed is None:
        return True
    if not probed.alive:
        return False
    return probed.models is None or folded(model) in {folded(name) for name in probed.models}
