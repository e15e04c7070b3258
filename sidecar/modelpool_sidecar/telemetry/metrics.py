"""What the gateway counts: the only module that names a metric. Label values come from closed sets.

A model that no table knows is labelled `unknown`, so callers cannot make up series. Values that exist anyway (queues,
running requests, readiness) are read when Prometheus asks, not kept twice.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .request_series import RequestSeries
from .series import Counters, Histograms, Made

UNKNOWN = "unknown"
_DURATIONS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_WAITS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Level(NamedTuple):
    """One present value for a gauge: its labels, in the gauge's order, and the value."""

    labels: tuple[str, ...]
    value: float


class Levels(NamedTuple):
    """The gauges at one moment."""

    queue_depth: Iterable[Level]
    """By pool and backend."""
    in_flight: Iterable[Level]
    """By pool, model, backend."""
    endpoints: Iterable[Level]
    """Ready endpoints by pool, model, backend."""


class Metrics:
    """One registry per gateway, so that two gateways in one process do not meet."""

    def __init__(self, levels: Callable[[], Levels]) -> None:
        self.registry = CollectorRegistry()
        of_model = ("pool", "model", "backend")
        self.requests = Counters(
            "modelpool_gateway_requests", "Requests answered", (*of_model, "dialect", "code", "route")
        )
        self.duration = Histograms(
            "modelpool_gateway_request_duration_seconds",
            "From the request's arrival to the answer's last byte",
            of_model,
            _DURATIONS,
        )
        self.first_byte = Histograms(
            "modelpool_gateway_time_to_first_byte_seconds",
            "From the request's arrival to the answer's first byte",
            of_model,
            _DURATIONS,
        )
        self.queue = Histograms(
            "modelpool_gateway_queue_seconds", "Time spent waiting for a free slot", of_model, _WAITS
        )
        self.fallbacks = Counters(
            "modelpool_gateway_fallbacks",
            "Requests answered by another backend than the first, by why the first did not",
            ("pool", "model", "reason"),
        )
        self.upstream_errors = Counters(
            "modelpool_gateway_upstream_errors", "Attempts that an engine failed, by how", (*of_model, "kind")
        )
        for family in (
            self.requests, self.duration, self.first_byte, self.queue, self.fallbacks, self.upstream_errors,
        ):  # fmt: skip
            self.registry.register(family)
        self.registry.register(_Gauges(levels))
        self.ledgers = Made(self._ledger)
        """By the label values of `requests`, for requests that came to an engine."""

    def _ledger(self, values: tuple[str, ...]) -> RequestSeries:
        of_model = values[:3]
        return RequestSeries(
            values,
            self.requests.of[values],
            self.duration.of[of_model],
            self.first_byte.of[of_model],
            self.queue.of[of_model],
        )

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        for ledger in self.ledgers.values():
            ledger.settle()
        return generate_latest(self.registry)


class _Gauges(Collector):
    def __init__(self, levels: Callable[[], Levels]) -> None:
        self._levels = levels

    def collect(self) -> Iterator[Metric]:
        levels = self._levels()
        of_model = ("pool", "model", "backend")
        told = (
            ("modelpool_gateway_queue_depth", "Requests waiting for a slot", of_model[::2], levels.queue_depth),
            ("modelpool_gateway_in_flight", "Requests running at engines", of_model, levels.in_flight),
            ("modelpool_gateway_ready_endpoints", "Endpoints that take requests", of_model, levels.endpoints),
        )
        for name, text, labels, values in told:
            family = GaugeMetricFamily(name, text, labels=labels)
            for level in values:
                family.add_metric(level.labels, level.value)
            yield family
