"""The operator's own metrics. Labels come from closed sets: outcomes, verbs and kinds, never names of pools or models.

One `Metrics` is made per program and passed down; it brings its own registry, so that two operators in one test process
do not share counters.
"""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Every metric of the operator, prefix `modelpool_operator_`."""

    def __init__(self, *, queue_depth: Callable[[], float], pools: Callable[[], float]) -> None:
        self.registry = CollectorRegistry()
        self.reconciles = Counter(
            "modelpool_operator_reconciles",
            "Passes over a pool, by outcome: planned, refused, invalid, gone, failed",
            ["outcome"],
            registry=self.registry,
        )
        self.reconcile_duration = Histogram(
            "modelpool_operator_reconcile_duration_seconds",
            "How long a pass took",
            buckets=_SECONDS,
            registry=self.registry,
        )
        Gauge("modelpool_operator_queue_depth", "Pools that wait for a pass", registry=self.registry).set_function(
            queue_depth
        )
        self.writes = Counter(
            "modelpool_operator_writes",
            "Requests that changed the cluster, by verb (apply, patch, delete, status, create) and kind",
            ["verb", "kind"],
            registry=self.registry,
        )
        self.api_errors = Counter(
            "modelpool_operator_api_errors",
            "Requests to the API server that failed, by error",
            ["error"],
            registry=self.registry,
        )
        Gauge("modelpool_operator_pools", "Valid pools served", registry=self.registry).set_function(pools)
