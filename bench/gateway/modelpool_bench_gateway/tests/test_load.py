"""The load program: that it counts what it says, and that everything it sends comes through a relay."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .. import guard, scenarios
from ..asking import Scenario
from ..load import Load

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is written for epoll")


@contextmanager
def addresses(callers: Load) -> Iterator[dict[str, str]]:
    with guard.relaying(callers.port, None) as relay:
        yield {"direct": f"127.0.0.1:{callers.port}", "relay": relay.address}


@pytest.mark.parametrize("way", ["direct", "relay"])
@pytest.mark.parametrize("size", [0, 160 * 1024])
def test_requests_are_answered_and_counted(callers: Load, way: str, size: int) -> None:
    with addresses(callers) as places:
        asked = Scenario(body=scenarios.body(size=size), connections=4, warmup=0.01, seconds=30.0, units=100)
        result = callers.run(asked, places[way])
    assert (result.errors, result.error) == (0, "")
    assert result.requests == 100
    assert result.latency.count == 100
    assert 0 < result.latency.p50 <= result.latency.p99 <= result.latency.max * 1.01


@pytest.mark.parametrize("way", ["direct", "relay"])
@pytest.mark.parametrize("manner", ["fast", "several", "paced", "lockstep"])
def test_streams_come_whole(callers: Load, way: str, manner: str) -> None:
    asked = Scenario(
        body=scenarios.body(stream=True), connections=3, stream=True, tokens=7, warmup=0.0, seconds=30.0, units=210,
        pace_ms=2.0 if manner == "paced" else 0.0, lockstep=manner == "lockstep", burst=3 if manner == "several" else 1,
    )  # fmt: skip
    with addresses(callers) as places:
        result = callers.run(asked, places[way])
    assert (result.errors, result.error) == (0, "")
    assert result.tokens >= 210
    # All but those under way at the end have come to theirs, with seven tokens each.
    assert 0 <= result.tokens - result.requests * 7 <= 3 * 7
    assert result.first.count >= result.requests
    if manner in ("paced", "lockstep"):
        assert result.transit.count > 0
        assert result.transit.p50 < 1e6


def test_an_open_loop_asks_at_its_rate(callers: Load) -> None:
    asked = Scenario(body=scenarios.body(), rate=100.0, warmup=0.05, seconds=30.0, units=20)
    result = callers.run(asked, f"127.0.0.1:{callers.port}")
    assert (result.errors, result.requests) == (0, 20)
    assert result.seconds > 0.15


def test_what_is_no_answer_is_an_error(callers: Load) -> None:
    result = callers.run(Scenario(path="/", body="", connections=1, seconds=0.05), "127.0.0.1:1")
    assert result.errors == 1
    assert "refused" in result.error
