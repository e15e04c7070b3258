"""Small vocabulary for routing tests: documents, tables and loads in one line each."""

import datetime
from collections import Counter
from typing import Any

from modelpool_sidecar.routing import documents, table, table_building

ENGINES = ("vllm", "ollama")
VLLM, OLLAMA = "http://vllm:1", "http://ollama:1"


def entry(
    engine: str,
    url: str,
    *,
    model: str = "qwen3:8b",
    room: int = 2,
    can: tuple[str, ...] | None = None,
    **more: Any,
) -> documents.BackendEntry:
    return documents.BackendEntry(engine=engine, url=url, model=model, max_concurrency=room, capabilities=can, **more)


def model(name: str = "qwen3:8b", *backends: documents.BackendEntry, **fields: object) -> documents.ModelEntry:
    chosen = backends or (entry("vllm", VLLM), entry("ollama", OLLAMA, room=1))
    return documents.ModelEntry(name=name, backends=chosen, **fields)  # type: ignore[arg-type]


def document(
    *models: documents.ModelEntry, pool: str = "agentic", age: int = 0, pending: int = 2, timeout: float = 60
) -> documents.RoutesDocument:
    created = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) - datetime.timedelta(days=age)
    return documents.RoutesDocument(
        version=1,
        pool=documents.Pool(namespace="llm", name=pool, created=created),
        queue=documents.QueueLimits(max_pending=pending, timeout_seconds=timeout),
        models=models or (model(),),
    )


def built(*routes: documents.RoutesDocument, dead: tuple[str, ...] = ()) -> table.RoutingTable:
    """A table in which every URL is one ready address, except the dead ones."""
    services = {table.service_of(route.pool, item) for route in routes for one in route.models for item in one.backends}
    addresses = {service: (table.Address(url=service.name, ready=True),) for service in services}
    return table_building.build(routes, addresses, {url: table.Probed(alive=False) for url in dead})


class Loads:
    """Loads that say what the test says."""

    def __init__(self, running: dict[str, int] | None = None, queued: int = 0, turns: dict[str, int] | None = None):
        self._running = Counter(running or {})
        self._queued = queued
        self._turns = turns or {}

    def in_flight(self, url: str) -> int:
        return self._running[url]

    def last_turn(self, url: str) -> int:
        return self._turns.get(url, 0)

    def admits(self, key: table.BackendKey, caller: str, bound: int) -> bool:
        return self._queued < bound
