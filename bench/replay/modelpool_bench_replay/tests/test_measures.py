"""Figures of a run: what overlaps counts once."""

import pytest

from modelpool_bench_replay.client import Span, prompt
from modelpool_bench_replay.measures import figures
from modelpool_bench_replay.pipeline import Kind
from modelpool_simulators import text


def _span(begin: float, end: float, kind: Kind = Kind.LLM, query: int = 0) -> Span:
    return Span(query=query, step="a", kind=kind, model="m", begin=begin, end=end)


def test_calls_side_by_side_count_once() -> None:
    spans = [
        _span(0, 10),
        _span(2, 8),
        _span(9, 12),
        _span(20, 25),
        _span(24, 30, Kind.VISION),
        _span(0, 40, Kind.WAIT),
    ]
    one = figures(spans, switches=2, worked=20.0, cards=2, resident=3 * 1024**3)
    assert (one.llm_seconds, one.model_seconds, one.query_seconds) == (17, 22, 40)
    assert (one.busy, one.resident_gib, one.per_minute) == (0.25, 3.0, 1.5)


def test_queries_are_averaged_and_counted_by_the_minute() -> None:
    spans = [_span(0, 30), _span(10, 60, query=1)]
    two = figures(spans, switches=0, worked=0.0, cards=1, resident=0)
    assert two.query_seconds == 40
    assert two.per_minute == pytest.approx(2.0)


def test_a_prompt_has_the_tokens_it_should() -> None:
    assert abs(text.count(prompt("3 verification 1", 500)) - 500) <= 1
