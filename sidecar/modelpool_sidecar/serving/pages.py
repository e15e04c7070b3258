"""The gateway's own pages: is it alive, is it ready, what does it count, where does it send what."""

import time
from dataclasses import dataclass
from typing import Any

import msgspec

from ..dialects.answer import PLAIN_JSON, Answer
from ..discovery.directory import Directory
from ..http.server.limits import Limits
from ..routing.demand import Demand
from ..routing.in_flight import InFlight
from ..routing.table import Model, RoutingTable
from ..routing.urls import shown
from ..telemetry.metrics import Level, Levels, Metrics
from .admission import Admission
from .page_cache import PageCache

_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/modelpool/demand", "/modelpool/routes"})
_TEXT = "text/plain; charset=utf-8"
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(slots=True)
class Phase:
    """Where the gateway is in its life."""

    draining: bool = False
    """SIGTERM has come: no new callers, please."""


class Pages:
    """Answers from the live state. One per gateway."""

    def __init__(self, directory: Directory, admission: Admission, phase: Phase, limits: Limits) -> None:
        self._directory = directory
        self._account = admission.account
        self._demand = admission.demand
        self._phase = phase
        self._costly = PageCache()
        self.metrics = Metrics(self._levels)
        self.metrics.registry.register(limits.counts)

    @staticmethod
    def has(path: str) -> bool:
        """Whether there is a page at a path."""
        return path in _PATHS

    def find(self, path: str) -> Answer | None:
        """The page at a path, if there is one."""
        match path:
            case "/healthz":
                return Answer(body=b"ok\n", content_type=_TEXT)
            case "/readyz":
                return self._ready()
            case "/metrics":
                return self._costly.page(path, self._counted)
            case "/modelpool/demand":
                return self._costly.page(path, self._demanded)
            case "/modelpool/routes":
                return self._costly.page(path, self._routed)
            case _:
                return None

    def _counted(self) -> Answer:
        return Answer(body=self.metrics.text(), content_type=_PROMETHEUS)

    def _demanded(self) -> Answer:
        told = demand_view(self._directory.table, self._demand, time.monotonic())
        return Answer(body=msgspec.json.encode(told) + b"\n", content_type=PLAIN_JSON)

    def _routed(self) -> Answer:
        view = live_view(self._directory.table, self._account, draining=self._phase.draining)
        return Answer(body=msgspec.json.format(msgspec.json.encode(view)) + b"\n", content_type=PLAIN_JSON)

    def _ready(self) -> Answer:
        if self._phase.draining:
            return Answer(status=503, body=b"draining\n", content_type=_TEXT)
        if not self._directory.loaded:
            return Answer(status=503, body=b"no routes read yet\n", content_type=_TEXT)
        return Answer(body=b"ok\n", content_type=_TEXT)

    def _levels(self) -> Levels:
        table, account = self._directory.table, self._account
        lines = {
            (str(model.pool.ref), backend.engine.value): 0.0 for model in table.models for backend in model.backends
        }
        for key, queue in account.queues.items():
            engine = next(
                (one.engine.value for model in table.models for one in model.backends if one.key == key), "gone"
            )
            labels = (str(key.pool), engine)
            lines[labels] = lines.get(labels, 0.0) + len(queue)
        held = account.by_model()
        running: dict[tuple[str, ...], float] = {}
        ready: dict[tuple[str, ...], float] = {}
        for model in table.models:
            for backend in model.backends:
                labels3 = (str(model.pool.ref), model.name, backend.engine.value)
                running[labels3] = held[backend.key, backend.model]
                ready[labels3] = sum(endpoint.ready for endpoint in backend.endpoints)
        return Levels(
            queue_depth=[Level(labels, value) for labels, value in lines.items()],
            in_flight=[Level(labels, value) for labels, value in running.items()],
            endpoints=[Level(labels, value) for labels, value in ready.items()],
        )


def demand_view(table: RoutingTable, demand: Demand, now: float) -> dict[str, Any]:
    """The demand document, version 1: what an operator decides replicas by. Times are seconds."""
    return {
        "version": 1,
        "upSeconds": round(now - demand.started, 3),
        "models": [
            {
                "pool": {"namespace": model.pool.namespace, "name": model.pool.name},
                "model": model.name,
                "inFlight": asked.in_flight,
                "pending": asked.pending,
                "secondsSinceLastRequest": None if asked.quiet_since is None else round(now - asked.quiet_since, 3),
            }
            for model in table.models
            for asked in (demand.of(model.key),)
        ],
    }


def live_view(table: RoutingTable, account: InFlight, *, draining: bool) -> dict[str, Any]:
    """The table as a person or a test reads it."""
    pools = [
        {"pool": str(pool), "models": [_model(model, account) for model in table.models if model.pool.ref == pool]}
        for pool in table.pools
    ]
    conflicts = [
        {"name": one.name, "servedBy": str(one.winner), "refusedTo": str(one.loser)} for one in table.conflicts
    ]
    return {"draining": draining, "inFlight": account.running, "pools": pools, "conflicts": conflicts}


def _model(model: Model, account: InFlight) -> dict[str, Any]:
    return {
        "name": model.name,
        "aliases": list(model.entry.aliases),
        "ready": model.ready,
        "backends": [
            {
                "engine": backend.engine.value,
                "model": backend.model,
                "address": shown(backend.key.address),
                "ready": backend.ready,
                "maxConcurrency": backend.max_concurrency,
                "queueDepth": account.queued(backend.key),
                "endpoints": [
                    {"url": shown(endpoint.url), "ready": endpoint.ready, "inFlight": account.in_flight(endpoint.url)}
                    for endpoint in backend.endpoints
                ],
            }
            for backend in model.backends
        ],
    }
