"""What the gateway counts: the only module that names a metric. Label values come from closed sets.

A model that no table knows is labelled `unknown`, so callers cannot make up series. Values that exist anyway (queues,
running requests, readiness) are read when Prometheus asks, not kept twice.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .events import Listener, RequestFacts
from .series import Count, Counters, Histograms, Made, Spread

_CODES = [str(status) for status in range(1000)]
"""Made once: llhttp accepts statuses of three digits."""
_MOST_TARGETS = 10_000
_DURATIONS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_WAITS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class RequestSeries:
    """Some requests of one model, answered in one way. `settle` before the series are read."""

    __slots__ = (
        "_above", "_alike", "_answered", "_at_most", "_duration", "_first", "_first_above", "_first_at_most",
        "_first_byte", "_queue", "_total", "backend", "code", "dialect", "model", "route",
    )  # fmt: skip

    def __init__(
        self, values: tuple[str, ...], answered: Count, duration: Spread, first_byte: Spread, queue: Spread
    ) -> None:
        """`values`: the labels of `answered`."""
        # What is looked at for every request comes first: the fields lie in memory in this order.
        _, self.model, self.backend, self.dialect, self.code, self.route = values
        self._alike = 0
        """Requests that the series have not heard of, all between these bounds. In nanoseconds:"""
        self._above = self._first_above = 0
        self._at_most = self._first_at_most = _NEVER
        self._total = self._first = 0
        self._answered = answered
        self._duration = duration
        self._first_byte = first_byte
        self._queue = queue

    def enter(self, duration_ns: int, first_byte_ns: int, queue_ns: int) -> None:
        """Enter a request; `first_byte_ns`: below 0 when nothing was sent."""
        if (
            self._above < duration_ns <= self._at_most
            and self._first_above < first_byte_ns <= self._first_at_most
            and queue_ns == 0
        ):
            self._alike += 1
            self._total += duration_ns
            self._first += first_byte_ns
            return
        self.settle()
        self._answered.value += 1
        self._queue.observe(queue_ns)
        self._duration.observe(duration_ns)
        self._above, self._at_most = self._duration.bucket(duration_ns)
        if first_byte_ns >= 0:
            self._first_byte.observe(first_byte_ns)
            self._first_above, self._first_at_most = self._first_byte.bucket(first_byte_ns)

    def settle(self) -> None:
        """Tell the series."""
        alike = self._alike
        if alike:
            self._answered.value += alike
            self._duration.enter(self._at_most, alike, self._total)
            self._first_byte.enter(self._first_at_most, alike, self._first)
            self._queue.enter(0, alike, 0)
            self._alike = self._total = self._first = 0


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


class Metrics(Listener):
    """One registry per gateway, so that two gateways in one process do not meet."""

    def __init__(self, levels: Callable[[], Levels], limits: Mapping[str, int]) -> None:
        """`limits`: how often each limit was reached, by its name; read whenever the metrics are."""
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
        self.first_bytes = Histograms(
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
        self.refits = Counters(
            "modelpool_gateway_refits",
            "Requests that an engine refused for their length and got again, by what was left out",
            (*of_model, "how"),
        )
        for family in (
            self.requests, self.duration, self.first_bytes, self.queue, self.fallbacks, self.upstream_errors,
            self.refits,
        ):  # fmt: skip
            self.registry.register(family)
        self.registry.register(_Gauges(levels))
        self.registry.register(_Limits(limits))
        self._series = Made(self._made)
        """By the label values of `requests`, for requests that came to an engine."""
        self._last: dict[object, RequestSeries] = {}
        """Those in which the last request to each target was entered."""

    def _made(self, values: tuple[str, ...]) -> RequestSeries:
        of_model = values[:3]
        return RequestSeries(
            values,
            self.requests.of[values],
            self.duration.of[of_model],
            self.first_bytes.of[of_model],
            self.queue.of[of_model],
        )

    def attempt_began(self, facts: RequestFacts) -> None:
        """See `events.Listener`."""
        if facts.skipped:
            self.fallbacks.of[facts.pool, facts.model, facts.skipped].inc()

    def attempt_ended(self, facts: RequestFacts, failure: str) -> None:
        """See `events.Listener`."""
        if failure:
            self.upstream_errors.of[facts.pool, facts.model, facts.backend, failure].inc()

    def refitted(self, facts: RequestFacts, how: str) -> None:
        """See `events.Listener`."""
        self.refits.of[facts.pool, facts.model, facts.backend, how].inc()

    def request_ended(self, facts: RequestFacts) -> None:
        """See `events.Listener`."""
        if not facts.backend:
            self.requests.of[_labels(facts)].inc()
            return
        started_ns, first_ns = facts.started_ns, facts.first_byte_ns
        first_byte_ns = first_ns - started_ns if first_ns else -1
        self._series_of(facts).enter(facts.ended_ns - started_ns, first_byte_ns, facts.queue_ns)

    def _series_of(self, facts: RequestFacts) -> RequestSeries:
        """Where a request that came to an engine is entered: most often where the last one to its target was."""
        known = self._last.get(facts.target)
        if (
            known is not None
            and known.code is _CODES[facts.status]
            and known.backend is facts.backend
            and known.route is facts.route
            and known.dialect is facts.dialect
            and known.model is facts.model
        ):
            return known
        if len(self._last) >= _MOST_TARGETS:  # of tables that are gone
            self._last.clear()
        series = self._last[facts.target] = self._series[_labels(facts)]
        return series

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        for series in self._series.values():
            series.settle()
        return generate_latest(self.registry)


def _labels(facts: RequestFacts) -> tuple[str, ...]:
    return facts.pool, facts.model, facts.backend, facts.dialect, _CODES[facts.status], facts.route


class _Limits(Collector):
    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "modelpool_gateway_limits_reached", "Times that a limit was reached", labels=["limit"]
        )
        for limit, count in self._counts.items():
            family.add_metric((limit,), count)
        yield family


class _Gauges(Collector):
    def __init__(self, levels: Callable[[], Levels]) -> None:
        self._levels = levels

    def collect(self) -> Iterator[Metric]:
        levels = self._levels()
        of_model = ("pool", "model", "backend")
        gauges = (
            ("modelpool_gateway_queue_depth", "Requests waiting for a slot", of_model[::2], levels.queue_depth),
            ("modelpool_gateway_in_flight", "Requests running at engines", of_model, levels.in_flight),
            ("modelpool_gateway_ready_endpoints", "Endpoints that take requests", of_model, levels.endpoints),
        )
        for name, text, labels, values in gauges:
            family = GaugeMetricFamily(name, text, labels=labels)
            for level in values:
                family.add_metric(level.labels, level.value)
            yield family


_NEVER: Final = -1
