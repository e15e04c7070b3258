"""The gateway's own pages: is it alive, is it ready, what does it count, where does it send what."""

import time
from dataclasses import dataclass
from typing import Any

import msgspec

from ..dialects.answer import PLAIN_JSON, Answer
from ..discovery.directory import Directory
from ..http.urls import shown
from ..routing.demand import Demand
from ..routing.in_flight import InFlight
from ..routing.table import Model, RoutingTable
from ..telemetry.metrics import Metrics
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

    def __init__(self, directory: Directory, admission: Admission, phase: Phase, metrics: Metrics) -> None:
        self._directory = directory
        self._in_flight = admission.in_flight
        self._demand = admission.demand
        self._phase = phase
        self._costly = PageCache()
        self._metrics = metrics

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
        return Answer(body=self._metrics.text(), content_type=_PROMETHEUS)

    def _demanded(self) -> Answer:
        view = demand_view(self._directory.table, self._demand, time.monotonic())
        return Answer(body=msgspec.json.encode(view) + b"\n", content_type=PLAIN_JSON)

    def _routed(self) -> Answer:
        view = live_view(self._directory.table, self._in_flight, draining=self._phase.draining)
        return Answer(body=msgspec.json.format(msgspec.json.encode(view)) + b"\n", content_type=PLAIN_JSON)

    def _ready(self) -> Answer:
        if self._phase.draining:
            return Answer(status=503, body=b"draining\n", content_type=_TEXT)
        if not self._directory.loaded:
            return Answer(status=503, body=b"no routes read yet\n", content_type=_TEXT)
        return Answer(body=b"ok\n", content_type=_TEXT)


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


def live_view(table: RoutingTable, in_flight: InFlight, *, draining: bool) -> dict[str, Any]:
    """The table as a person or a test reads it."""
    pools = [
        {"pool": str(pool), "models": [_model(model, in_flight) for model in table.models if model.pool.ref == pool]}
        for pool in table.pools
    ]
    conflicts = [
        {"name": one.name, "servedBy": str(one.winner), "refusedTo": str(one.loser)} for one in table.conflicts
    ]
    return {"draining": draining, "inFlight": in_flight.running, "pools": pools, "conflicts": conflicts}


def _model(model: Model, in_flight: InFlight) -> dict[str, Any]:
    return {
        "name": model.name,
        "aliases": list(model.entry.aliases),
        "ready": model.ready,
        "backends": [
            {
                "engine": backend.engine,
                "model": backend.model,
                "address": shown(backend.key.address),
                "ready": backend.ready,
                "maxConcurrency": backend.max_concurrency,
                "queueDepth": in_flight.queued(backend.key),
                "endpoints": [
                    {"url": shown(endpoint.url), "ready": endpoint.ready, "inFlight": in_flight.in_flight(endpoint.url)}
                    for endpoint in backend.endpoints
                ],
            }
            for backend in model.backends
        ],
    }
