"""From the steps of a run to its figures. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from modelpool_bench_replay.client import Span
from modelpool_bench_replay.pipeline import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One run, in seconds of the simulation; of queries the mean."""

    queries: int
    llm_seconds: float
    """While at least one text call of the query was under way: what `LLM time 79.2 s` was, switches included."""
    model_seconds: float
    """The same with the vision calls."""
    query_seconds: float
    per_minute: float
    """Queries by the time from the first beginning to the last end."""
    switches: int
    """Models that were loaded during the run."""
    busy: float
    """Share of the run in which the cards computed, as if engines shared them without loss."""
    resident_gib: float


def figures(spans: Sequence[Span], *, switches: int, worked: float, cards: int, resident: int) -> Figures:
    """Return the figures of a run; `worked` in seconds of the simulation, `resident` in bytes."""
    queries = sorted({span.query for span in spans})
    by_query = [[span for span in spans if span.query == number] for number in queries]
    whole = max(span.end for span in spans) - min(span.begin for span in spans)
    return Figures(
        queries=len(queries),
        llm_seconds=_mean(_covered(span for span in one if span.kind is Kind.LLM) for one in by_query),
        model_seconds=_mean(_covered(span for span in one if span.kind is not Kind.WAIT) for one in by_query),
        query_seconds=_mean(max(span.end for span in one) - min(span.begin for span in one) for one in by_query),
        per_minute=60 * len(queries) / whole,
        switches=switches,
        busy=worked / whole / cards,
        resident_gib=resident / 1024**3,
    )


def _covered(spans: Iterable[Span]) -> float:
    """Return the seconds in which at least one span was under way."""
    seconds, until = 0.0, float("-inf")
    for span in sorted(spans, key=lambda one: one.begin):
        seconds += max(0.0, span.end - max(span.begin, until))
        until = max(until, span.end)
    return seconds


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)
