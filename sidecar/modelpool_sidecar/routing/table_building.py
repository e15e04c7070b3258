"""The routing table, built from routes documents, the addresses behind their services, and what probes and failed
requests have told about each address. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from sys import intern
from types import MappingProxyType
from typing import Final

from . import documents
from .documents import ModelKey, PoolRef
from .keys import Keys
from .table import (
    Address,
    Backend,
    BackendKey,
    Conflict,
    Endpoint,
    Model,
    Probed,
    RoutingTable,
    ServiceRef,
    folded,
    service_of,
)

NO_KEYS: Final = Keys()
NO_PARAMETERS: Final[Mapping[str, object]] = MappingProxyType({})


def build(
    routes: Iterable[documents.RoutesDocument],
    addresses: Mapping[ServiceRef, tuple[Address, ...]],
    probed: Mapping[str, Probed],
    keys: Keys = NO_KEYS,
) -> RoutingTable:
    """One table from all documents. The older pool keeps a contested name; equal ages go by namespace and name."""
    models: list[Model] = []
    shared = Shared()
    names: dict[str, Model] = {}
    conflicts: list[Conflict] = []
    ordered = sorted(routes, key=lambda document: (document.pool.created, document.pool.ref))
    for document in ordered:
        ref = document.pool.ref
        pool_name = str(ref)
        line = keys.line(document.pool)
        for entry in document.models:
            holder = names.get(folded(entry.name))
            if holder is not None:
                conflicts.append(Conflict(name=entry.name, winner=holder.pool.ref, loser=document.pool.ref))
                continue
            model = _model(document, ref, pool_name, entry, addresses, probed, shared, line, keys.engines)
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


class Shared:
    """What many models of a table have alike is there once: each request looks at it, and finds it in the cache."""

    __slots__ = ("_capabilities", "_endpoints", "_keys")

    def __init__(self) -> None:
        self._capabilities: dict[tuple[str, ...], frozenset[str]] = {}
        self._endpoints: dict[tuple[tuple[str, bool, bool], ...], tuple[Endpoint, ...]] = {}
        self._keys: dict[BackendKey, BackendKey] = {}

    def capabilities(self, named: tuple[str, ...]) -> frozenset[str]:
        """Capabilities as a set."""
        found = self._capabilities.get(named)
        if found is None:
            found = self._capabilities[named] = frozenset(named)
        return found

    def endpoints(self, facts: tuple[tuple[str, bool, bool], ...]) -> tuple[Endpoint, ...]:
        """Endpoints at these addresses, ready or not, returning or not."""
        found = self._endpoints.get(facts)
        if found is None:
            found = self._endpoints[facts] = tuple(
                Endpoint(url=url, ready=ready, returning=returning) for url, ready, returning in facts
            )
        return found

    def key(self, pool: PoolRef, address: str) -> BackendKey:
        """The key of a backend."""
        key = BackendKey(pool, intern(address))
        return self._keys.setdefault(key, key)


def endpoints_of(
    service: ServiceRef,
    model: str,
    addresses: Mapping[ServiceRef, tuple[Address, ...]],
    probed: Mapping[str, Probed],
    shared: Shared,
) -> tuple[Endpoint, ...]:
    """The live addresses of a backend that serves this model there."""
    return shared.endpoints(
        tuple(
            (one.url, _is_ready(one, probed.get(one.url), model), _is_returning(one, probed.get(one.url)))
            for one in addresses.get(service, ())
        )
    )


def unready_of(model: Model) -> Iterator[tuple[str, str]]:
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
    shared: Shared,
    line: bytes,
    keyed: frozenset[str],
) -> Model:
    name = intern(entry.name)  # so that what is compared and hashed with each request is there once
    backends = []
    for item in entry.backends:
        service = service_of(document.pool, item)
        named = item.capabilities if item.capabilities is not None else entry.capabilities
        shown = service.name if not service.namespace else f"{service.name}:{service.port}"
        backends.append(
            Backend(
                key=shared.key(ref, shown),
                engine=intern(item.engine),
                model=intern(item.model),
                max_concurrency=item.max_concurrency,
                capabilities=None if named is None else shared.capabilities(named),
                endpoints=endpoints_of(service, item.model, addresses, probed, shared),
                service=service,
                starts_on_demand=item.starts_on_demand,
                authorization=line if item.keyed and item.engine in keyed else b"",
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
        parameters=NO_PARAMETERS if entry.parameters is None else MappingProxyType(entry.parameters.as_options()),
    )


def _is_returning(address: Address, probed: Probed | None) -> bool:
    return address.ready and probed is not None and not probed.alive and probed.returning


def _is_ready(address: Address, probed: Probed | None, model: str) -> bool:
    if not address.ready:
        return False
    if probed is None:
        return True
    if not probed.alive:
        return False
    return probed.models is None or folded(model) in probed.models
