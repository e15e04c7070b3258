"""Figures and ratios from results. Pure: knows names and numbers, runs nothing.

A figure is one number per gateway and round. The ratio of two gateways is that of the medians over the rounds, and
beside it stands that of their best rounds, because on a busy machine only the best is free of the neighbours.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .asking import Result

AT_REST: Final = "rest"
"""The name of what is no task: how a gateway is before anybody asks much of it."""

Round = Mapping[str, Result]
"""The results of one gateway in one round, by task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One column of figures."""

    name: str
    unit: str
    task: str
    read: Callable[[Result], float]
    more_is_better: bool = False
    added: bool = False
    """What a gateway adds to the figure of asking the upstream directly."""
    beyond: str = ""
    """A task of which the gateway's own figure is taken off."""
    active: int = 0
    """Streams that must have been in flight for the figure to say anything."""

    @property
    def is_steady(self) -> bool:
        """Whether it says something on a busy machine: a clock on the wall does not."""
        return self.name.startswith(("cpu", "memory"))

    def best(self, values: Sequence[float]) -> float:
        """The round that the neighbours disturbed least."""
        return max(values) if self.more_is_better else min(values)


def _per_second(task: str, name: str) -> Measure:
    return Measure(
        name=name, unit="1/s", task=task, more_is_better=True, read=lambda result: result.requests / result.seconds
    )


def _tokens_per_second(task: str, name: str) -> Measure:
    return Measure(
        name=name, unit="1/s", task=task, more_is_better=True, read=lambda result: result.tokens / result.seconds
    )


def _cpu(task: str, name: str, count: Callable[[Result], int]) -> Measure:
    return Measure(
        name=name, unit="us", task=task, read=lambda result: result.cpu_seconds / max(count(result), 1) * 1e6
    )


def _requests(result: Result) -> int:
    return result.requests


def _tokens(result: Result) -> int:
    return result.tokens


def _added(task: str, name: str, read: Callable[[Result], float]) -> Measure:
    return Measure(name=name, unit="us", task=task, read=read, added=True)


def _busy(task: str, name: str) -> Measure:
    """Near 100 the load program is what is measured, and not who stands between its ends."""
    return Measure(name=name, unit="%", task=task, read=lambda result: result.own_seconds / result.seconds * 100)


ALL: Final = (
    _cpu("small-1", "cpu per request, 1 connection", _requests),
    _cpu("small-32", "cpu per request, 32 connections", _requests),
    _cpu("small-256", "cpu per request, 256 connections", _requests),
    _cpu("large-32", "cpu per request of 160 KB", _requests),
    _cpu("fast", "cpu per chunk, fast", _tokens),
    _cpu("fast-singly", "cpu per chunk, fast, one a write", _tokens),
    _cpu("fast-translated", "cpu per chunk, fast, translated", _tokens),
    _cpu("paced", "cpu per chunk, paced", _tokens),
    _cpu("paced-translated", "cpu per chunk, paced, translated", _tokens),
    *(_per_second(f"small-{count}", f"requests/s, {count} connections") for count in (1, 32, 256)),
    *(_per_second(f"large-{count}", f"requests/s of 160 KB, {count} connections") for count in (1, 32, 256)),
    _tokens_per_second("fast", "chunks/s, fast"),
    _tokens_per_second("fast-singly", "chunks/s, fast, one a write"),
    _tokens_per_second("fast-translated", "chunks/s, fast, translated"),
    _busy("fast", "load program busy, fast"),
    _busy("fast-singly", "load program busy, fast, one a write"),
    _added("small-1", "added p50, 1 connection", lambda result: result.latency.p50),
    _added("small-1", "added p99, 1 connection", lambda result: result.latency.p99),
    _added("steady", "added p50, 200 requests/s", lambda result: result.latency.p50),
    _added("steady", "added p99, 200 requests/s", lambda result: result.latency.p99),
    _added("paced", "added time to first token, p50", lambda result: result.first.p50),
    _added("paced", "added time to first token, p99", lambda result: result.first.p99),
    Measure(name="jitter, p99", unit="us", task="paced", read=lambda result: result.jitter.p99),
    Measure(name="memory at rest", unit="MiB", task=AT_REST, read=lambda result: result.rss_bytes / 2**20),
    Measure(name="memory with 1,000 streams", unit="MiB", task="streams-1000", active=1000,
            read=lambda result: result.rss_bytes / 2**20),
    Measure(name="memory per stream", unit="KiB", task="streams-1000", active=1000, beyond=AT_REST,
            read=lambda result: result.rss_bytes / 2**10 / 1000),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What one gateway came to over the rounds."""

    median: float
    best: float
    rounds: tuple[float, ...]


def figure(measure: Measure, rounds: Sequence[Round], direct: Sequence[Round]) -> Figure | None:
    """The figure of one gateway; None when it was not asked, or answered wrongly in every round."""
    values = []
    for one, straight in zip(rounds, direct, strict=True):
        result = one.get(measure.task)
        if result is None or (measure.task != AT_REST and _spoilt(result)):
            continue
        if result.active < measure.active:
            continue
        value = measure.read(result)
        if measure.added:
            if measure.task not in straight:
                continue
            value -= measure.read(straight[measure.task])
        if measure.beyond:
            if measure.beyond not in one:
                continue
            value -= measure.read(one[measure.beyond])
        values.append(value)
    if not values:
        return None
    return Figure(median=statistics.median(values), best=measure.best(values), rounds=tuple(values))


def _spoilt(result: Result) -> bool:
    """Errors are no throughput, and nothing has no cost. One in a thousand is let pass: a connection may be reset."""
    units = max(result.requests, result.tokens)
    return not units or result.errors * 1000 > units


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """We against another."""

    measure: str
    unit: str
    peer: str
    ours: Figure
    theirs: Figure

    @property
    def median(self) -> float:
        """Ours by theirs."""
        return self.ours.median / self.theirs.median

    @property
    def best(self) -> float:
        """The same of the best rounds."""
        return self.ours.best / self.theirs.best


def ratios(ours: str, rounds: Mapping[str, Sequence[Round]], direct: Sequence[Round]) -> list[Ratio]:
    """We against everybody, measure by measure."""
    found = []
    for measure in ALL:
        mine = figure(measure, rounds[ours], direct)
        if mine is None:
            continue
        for peer, theirs in rounds.items():
            other = None if peer == ours else figure(measure, theirs, direct)
            # What is added may come out below nothing where the machine was disturbed: no ratio is made of that.
            if other is not None and min(other.median, other.best, mine.median, mine.best) > 0:
                found.append(Ratio(measure=measure.name, unit=measure.unit, peer=peer, ours=mine, theirs=other))
    return found + _translation(rounds[ours], direct)


def _translation(ours: Sequence[Round], direct: Sequence[Round]) -> list[Ratio]:
    """What a chunk costs translated against one that is passed on, both by us."""
    by_name = {measure.name: measure for measure in ALL}
    found = []
    for way in ("fast", "paced"):
        plain = figure(by_name[f"cpu per chunk, {way}"], ours, direct)
        translated = figure(by_name[f"cpu per chunk, {way}, translated"], ours, direct)
        if plain is not None and translated is not None:
            name = f"cpu per chunk, {way}, translated"
            found.append(Ratio(measure=name, unit="us", peer="untranslated", ours=translated, theirs=plain))
    return found
