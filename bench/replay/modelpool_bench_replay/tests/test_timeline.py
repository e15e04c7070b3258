"""Pictures: nothing covers anything else, and the file is XML."""

from xml.etree import ElementTree as ET

from modelpool_bench_replay import scenarios, timeline
from modelpool_bench_replay.client import Span
from modelpool_bench_replay.measures import figures
from modelpool_bench_replay.pipeline import Kind
from modelpool_bench_replay.runs import Run


def _span(step: str, begin: float, end: float, kind: Kind = Kind.LLM, query: int = 0) -> Span:
    return Span(query=query, step=step, kind=kind, model="" if kind is Kind.WAIT else "m<1>", begin=begin, end=end)


def test_spans_that_overlap_get_rows_of_their_own() -> None:
    spans = [_span("a", 0, 10), _span("b", 5, 8), _span("c", 10, 12), _span("d", 8, 20)]
    assert [[span.step for span in row] for row in timeline.rows(spans)] == [["a", "c"], ["b", "d"]]


def test_the_picture_shows_every_step() -> None:
    spans = (_span("a & b", 0, 10), _span("web", 10, 20, Kind.WAIT))
    many = (*spans, _span("c", 0, 7, query=1))
    runs = [
        Run(
            scenario=scenarios.OLLAMA,
            speeds=None,
            compression=1.0,
            users=1,
            figures=figures(one, switches=0, worked=0, cards=1, resident=0),
            spans=one,
            ideal_seconds=None,
        )
        for one in (spans, many)
    ]
    root = ET.fromstring(timeline.draw(runs))
    titles = [node.text for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["a & b: 10.0 s", "web: 10.0 s", "web: 10.0 s", "a & b: 10.0 s", "c: 7.0 s"]
