"""Counters and histograms that cost next to nothing to add to, and that the Prometheus client shows when it is asked.

The client's own take a lock and walk through the buckets, once per request and metric; one event loop needs neither.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Count:
    """One series of a counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def inc(self) -> None:
        """Count one."""
        self.value += 1


_HIGHEST: Final = 1 << 60


class Spread:
    """One series of a histogram of times. All is in nanoseconds, but for what the client is shown."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[int]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0

    def observe(self, value: int) -> None:
        """Take a value in."""
        self.enter(value, 1, value)

    def enter(self, value: int, times: int, total: int) -> None:
        """Take in so many values, which make so much in all, of the bucket that this one falls into."""
        self.counts[bisect_left(self._bounds, value)] += times
        self.total += total

    def bucket(self, value: int) -> tuple[int, int]:
        """The bucket that a value falls into: above the first of both, and at most the second."""
        place = bisect_left(self._bounds, value)
        below = self._bounds[place - 1] if place else -1
        return below, self._bounds[place] if place < len(self._bounds) else _HIGHEST


_Kind = TypeVar("_Kind")


class Made(dict[tuple[str, ...], _Kind]):
    """Series, or what consists of some, by label values; each is there when it is looked up."""

    def __init__(self, make: Callable[[tuple[str, ...]], _Kind]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, values: tuple[str, ...]) -> _Kind:
        found = self[values] = self._make(values)
        return found


class Counters(Collector):
    """A counter."""

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self._about = (name, text, tuple(labels))
        self.of = Made(lambda _: Count())
        """The series, by label values in the labels' order."""

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        name, text, labels = self._about
        family = CounterMetricFamily(name, text, labels=labels)
        for values, series in self.of.items():
            family.add_metric(values, series.value)
        yield family


class Histograms(Collector):
    """A histogram of times."""

    def __init__(self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        """`bounds`: upper ends of the buckets in seconds, rising, without the last one."""
        self._about = (name, text, tuple(labels))
        self._names = [*map(floatToGoString, bounds), "+Inf"]
        nanoseconds = tuple(round(bound * 1e9) for bound in bounds)
        self.of = Made(lambda _: Spread(nanoseconds))
        """The series, by label values in the labels' order."""

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        name, text, labels = self._about
        family = HistogramMetricFamily(name, text, labels=labels)
        for values, series in self.of.items():
            below = 0
            buckets = []
            for bound, count in zip(self._names, series.counts, strict=True):
                below += count
                buckets.append((bound, below))
            family.add_metric(values, buckets, series.total / 1e9)
        yield family
