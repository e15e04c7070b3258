"""The routes document, version 1: what the gateway knows of a pool. The sidecar reads what this module writes."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from typing import Any, Final, NamedTuple

import msgspec

from modelpool_operator.api import names, parsing
from modelpool_operator.api.models import Engine, Model
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.engines.ollama import servers as ollama_servers
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.memory import catalogue, repository_facts
from modelpool_operator.planning.memory.sources import Hub, parse_source
from modelpool_operator.planning.objects.identity import Manifest, without_nothing
from modelpool_operator.planning.sharing.shares import Placement, Share

VERSION: Final = 1

AddressOf = Callable[[Engine, str], dict[str, Any]]
"""From an engine and its name of the model to where it listens: `{"service", "port"}` or `{"url"}`, and `"keyed": true`
where it asks for the pool's key, which the gateway works out itself."""


class Entry(NamedTuple):
    """One model of a document: what it claims of the names that clients may ask for."""

    name: str
    aliases: tuple[str, ...] = ()


def entries_of(pool: ModelPool) -> tuple[Entry, ...]:
    """Return what the pool's document, once it is there, claims: every model with its aliases, every adapter."""
    return tuple(
        entry
        for model in pool.spec.models
        for entry in (Entry(model.name, model.aliases), *(Entry(adapter.name) for adapter in model.adapters))
    )


def entries_in(children: Iterable[Manifest]) -> tuple[Entry, ...]:
    """Return what the document claims that is among a pool's live children; nothing where there is none to be read."""
    for child in children:
        text = (child.get("data") or {}).get(names.ROUTES_KEY) if child["kind"] == "ConfigMap" else None
        if text is None:
            continue
        try:
            return tuple(Entry(one.name, one.aliases) for one in msgspec.json.decode(text, type=_Document).models)
        except msgspec.MsgspecError:
            return ()
    return ()


class _Named(msgspec.Struct, frozen=True):
    name: str
    aliases: tuple[str, ...] = ()


class _Document(msgspec.Struct, frozen=True):
    models: tuple[_Named, ...] = ()


def in_cluster(pool: ModelPool, placement: Placement, *, keyed: bool = False) -> AddressOf:
    """Return addresses as Services of the pool's namespace. `keyed`: engines ask for the pool's key."""
    beside = ollama_servers.divide(pool.spec, placement.sharing).beside
    on_demand = {model.name for model in pool.spec.models if model.autoscaling and not model.autoscaling.min_replicas}

    def address_of(engine: Engine, model: str) -> dict[str, Any]:
        profile = PROFILES[engine]
        if not profile.of_pool:
            service = names.engine_names(pool.ref.name, model).child
            address: dict[str, Any] = {"service": service, "port": profile.port}
            address |= {"keyed": True} if keyed and profile.key_variable is not None else {}
            return {**address, "startsOnDemand": True} if model in on_demand else address
        port = names.OLLAMA_CPU_PORT if model in beside else names.OLLAMA_PORT
        return {"service": names.ollama_name(pool.ref.name), "port": port}

    return address_of


def routes_document(pool: ModelPool, placement: Placement, address_of: AddressOf) -> dict[str, Any]:
    """Return the document.

    Args:
        pool: the pool; `created` settles a quarrel of two pools over a name, so without it the document has none.
        placement: where its engines are, which says how much memory a resident model holds.
        address_of: where engines listen.
    """
    created = pool.created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if pool.created else None
    identity = {
        "namespace": pool.ref.namespace,
        "name": pool.ref.name,
        "created": created,
        "generation": pool.generation,
    }
    routing = pool.spec.routing
    return {
        "version": VERSION,
        "pool": without_nothing(identity),
        "queue": {"maxPending": routing.max_pending, "timeoutSeconds": routing.queue_timeout_seconds},
        "models": [entry for model in pool.spec.models for entry in _entries(pool, model, placement, address_of)],
    }


def _entries(pool: ModelPool, model: Model, placement: Placement, address_of: AddressOf) -> Iterator[dict[str, Any]]:
    """Yield the model, then its adapters: models of their own to clients, on the same engine and with its limits.

    An adapter has no stand-in: what Ollama holds knows nothing of it.
    """
    yield _model(pool, model, placement.share_of(model.name), address_of)
    for adapter in model.adapters:
        engine = {"engine": model.engine.value, **address_of(model.engine, model.name)}
        backend = {**engine, "model": adapter.name, "maxConcurrency": model.max_concurrency}
        yield {"name": adapter.name, **_facts(pool, model), "backends": [backend]}


def _model(pool: ModelPool, model: Model, share: Share | None, address_of: AddressOf) -> dict[str, Any]:
    found = catalogue.known(parse_source(model.source or ""))
    weights = model.weights.bytes if model.weights else found.weights if found else None
    return without_nothing(
        {
            "name": model.name,
            "aliases": list(model.aliases),
            **_facts(pool, model),
            "sizeBytes": weights,
            "memoryBytes": share.bytes * len(share.gpus) if share else None,
            "backends": _backends(pool, model, address_of),
        }
    )


def _facts(pool: ModelPool, model: Model) -> dict[str, Any]:
    """Return what clients are told of a model, and of its adapters likewise."""
    source = parse_source(model.source or "")
    found = catalogue.known(source)
    repository = source.repository if found and isinstance(source, Hub) else ""
    sampling = repository_facts.sampling_of(repository)
    stated = without_nothing(parsing.render(model.parameters)) if model.parameters else {}
    return without_nothing(
        {
            "capabilities": None if _decides_itself(model) else [one.value for one in model.capabilities],
            "contextLength": PROFILES[model.engine].context_length(pool.spec, model),
            "trainedContextLength": found.context if found else None,
            "embeddingLength": found.width if found else None,
            "parameterSize": found.parameters if found else None,
            "quantization": found.quantization if found else None,
            "family": repository_facts.family_of(repository),
            "parameters": {**sampling, **stated},
        }
    )


def _backends(pool: ModelPool, model: Model, address_of: AddressOf) -> list[dict[str, Any]]:
    """Return who can serve the model, best first."""
    backends: list[dict[str, Any]] = []
    server = PROFILES.server
    name = server.stand_in(pool.spec, model)
    if PROFILES.has_own(model):
        room = {"model": model.name, "maxConcurrency": model.max_concurrency}
        backends.append({"engine": model.engine.value, **address_of(model.engine, model.name), **room})
    else:
        name = server.served_name(model)
    if name is not None:
        room = {"model": name, "maxConcurrency": pool.spec.ollama.num_parallel}
        backends.append({"engine": server.name.value, **address_of(server.name, name), **room})
    return backends


def _decides_itself(model: Model) -> bool:
    """Return whether nobody says what the model can do: then the pool's own server, which knows, tells and refuses."""
    return not PROFILES.has_own(model) and model.capabilities == Model(name="", engine=model.engine).capabilities
