"""What such a series keeps back is what the series would have been told one by one."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.telemetry.events import RequestFacts
from modelpool_sidecar.telemetry.metrics import Levels, Metrics, RequestSeries
from modelpool_sidecar.telemetry.series import Count, Spread

VALUES: Final = ("llm/agentic", "qwen3:8b", "vllm", "openai", "200", "primary")
BOUNDS: Final = (10, 50, 100)
WAITS: Final = (1, 5)
TIMES: Final = st.one_of(st.integers(0, 120), st.sampled_from(BOUNDS))
REQUEST: Final = st.tuples(TIMES, st.just(-1) | TIMES, st.just(0) | st.integers(0, 7))


class Book:
    """The series of one kind of request."""

    def __init__(self) -> None:
        self.answered, self.queue = Count(), Spread(WAITS)
        self.duration, self.first_byte = Spread(BOUNDS), Spread(BOUNDS)
        self.series = RequestSeries(VALUES, self.answered, self.duration, self.first_byte, self.queue)

    def told(self) -> list[object]:
        spreads = [(one.counts, one.total) for one in (self.duration, self.first_byte, self.queue)]
        return [self.answered.value, *spreads]


@given(st.lists(REQUEST | st.none()))
def test_nothing_is_lost_and_nothing_told_twice(requests: list[tuple[int, int, int] | None]) -> None:
    """None: somebody looks."""
    book, plain = Book(), Book()
    for request in requests:
        if request is None:
            book.series.settle()
            assert book.told() == plain.told()
            continue
        duration, first_byte, waited = request
        book.series.enter(duration, first_byte, waited)
        plain.answered.inc()
        plain.duration.observe(duration)
        plain.queue.observe(waited)
        if first_byte >= 0:
            plain.first_byte.observe(first_byte)
    book.series.settle()
    assert book.told() == plain.told()


def test_requests_that_are_alike_touch_no_series() -> None:
    book = Book()
    for duration in (20, 50, 11):
        book.series.enter(duration, 10, 0)
    assert book.answered.value == 1
    book.series.enter(51, 10, 0)
    assert (book.answered.value, book.duration.counts) == (4, [0, 3, 1, 0])


def ended(duration_ns: int, first_byte_ns: int = 0) -> RequestFacts:
    facts = RequestFacts(request_id="1", method="POST", path="/", dialect=VALUES[3], caller="", started_ns=7)
    facts.pool, facts.model, facts.backend, _, code, facts.route = VALUES
    facts.status, facts.ended_ns = int(code), 7 + duration_ns
    facts.first_byte_ns = 7 + first_byte_ns if first_byte_ns else 0
    return facts


@pytest.mark.parametrize(("seconds", "place"), [(0.0, 0), (0.01, 0), (0.010000001, 1), (600.0, 13), (600.1, 14)])
def test_a_bound_belongs_to_the_bucket_below_it(seconds: float, place: int) -> None:
    metrics = Metrics(lambda: Levels((), (), ()), {})
    metrics.request_ended(ended(round(seconds * 1e9)))
    counts = metrics.duration.of[VALUES[:3]].counts
    assert [number for number, count in enumerate(counts) if count] == [place]


def test_whoever_reads_the_metrics_sees_the_last_request() -> None:
    metrics = Metrics(lambda: Levels((), (), ()), {})
    for _ in range(3):
        metrics.request_ended(ended(20_000_000, 15_000_000))
    lines = metrics.text().decode().splitlines()
    of_model = 'backend="vllm",model="qwen3:8b",pool="llm/agentic"'
    assert f"modelpool_gateway_request_duration_seconds_sum{{{of_model}}} 0.06" in lines
    assert (
        f'modelpool_gateway_time_to_first_byte_seconds_bucket{{backend="vllm",le="0.05",{of_model[15:]}}} 3.0' in lines
    )
    assert f"modelpool_gateway_queue_seconds_count{{{of_model}}} 3.0" in lines
