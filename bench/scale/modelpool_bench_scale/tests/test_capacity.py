"""The simulation of a fleet: against what is known of such queues, and its plan against itself."""

import math

import pytest

from modelpool_bench_scale import capacity, routes
from modelpool_bench_scale.capacity import Load, Unit
from modelpool_sidecar.routing import documents

_UNIT = Unit(request_seconds=3e-4, event_seconds=4e-5, base_bytes=50 * 2**20, stream_bytes=27 * 1024)


def test_streams_spread_as_a_poisson_distribution() -> None:
    fleet = capacity.simulate(_UNIT, Load(streams=2000, mean_seconds=2.0), gateways=20, seconds=20.0, seed=1)
    assert fleet.streams_mean == pytest.approx(100, rel=0.03)
    assert fleet.streams_p99 == pytest.approx(100 + 2.33 * math.sqrt(100), rel=0.05)
    assert fleet.streams_p99 <= fleet.streams_max < 160


def test_sums_are_those_of_the_parts() -> None:
    load = Load(streams=500, mean_seconds=2.0)
    fleet = capacity.simulate(_UNIT, load, gateways=5, seconds=5.0, seed=2)
    assert fleet.processors == pytest.approx(5 * fleet.busy_mean)
    assert capacity.busy(_UNIT, load, 100) == pytest.approx(50 * 3e-4 + 100 * 50 * 4e-5)
    assert fleet.memory_max == 50 * 2**20 + fleet.streams_max * 27 * 1024


def test_the_plan_holds_in_the_simulation() -> None:
    load = Load(streams=2000, mean_seconds=2.0)
    needed = capacity.gateways_for(_UNIT, load, target=0.6)
    fleet = capacity.simulate(_UNIT, load, gateways=needed, seconds=5.0, seed=3)
    assert fleet.busy_mean < 0.6
    assert capacity.busy(_UNIT, load, fleet.streams_p99) < 0.6
    fewer = load.streams / (needed - 1)
    assert capacity.busy(_UNIT, load, fewer + 3.1 * math.sqrt(fewer)) > 0.6


def test_routes_of_any_size_are_routes() -> None:
    (document,) = documents.parse_all(
        routes.document(7, ["http://127.0.0.1:1", "http://127.0.0.1:2"]), ("vllm", "ollama")
    )
    assert [model.name for model in document.models] == [routes.name(number) for number in range(7)]
    assert len({backend.url for model in document.models for backend in model.backends}) == 2
