"""Many gateways and many streams, from what one costs: a simulation, and the arithmetic of a capacity plan. Pure.

Streams arrive at random, each goes to a gateway chosen at random, as kube-proxy does for each connection, lasts as long
as its answer, and costs the gateway a request at its beginning and an event for each token. Nothing is averaged away: a
gateway that happens to get more streams than others has more work than others.
"""

import heapq
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MIB: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What one gateway costs, measured."""

    request_seconds: float
    """Of processor time."""
    event_seconds: float
    """Of processor time, for each event of a stream."""
    base_bytes: float
    """Of memory, without streams."""
    stream_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What comes."""

    streams: int
    """Under way at the same time, on average."""
    events_per_second: float = 50.0
    """Of each: a token every 20 ms."""
    mean_seconds: float = 10.0
    """Of an answer; lengths are spread as an exponential distribution spreads them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """How it went with so many gateways."""

    gateways: int
    streams_mean: float
    """Of a gateway, over all gateways and the whole time."""
    streams_p99: float
    streams_max: float
    """The most that any gateway ever had."""
    busy_mean: float
    """Share of one processor."""
    busy_max: float
    """Of the gateway with the most streams, in its worst moment."""
    processors: float
    """That all gateways use together."""
    memory_bytes: float
    """That all gateways hold together."""
    memory_max: float
    """Of the gateway with the most streams."""


def busy(unit: Unit, load: Load, streams: float) -> float:
    """Return the share of a processor that a gateway uses with so many streams."""
    requests = streams / load.mean_seconds
    return requests * unit.request_seconds + streams * load.events_per_second * unit.event_seconds


def simulate(unit: Unit, load: Load, *, gateways: int, seconds: float, seed: int) -> Fleet:
    """Let streams come and go for so long, after a time to fill up, and return what the gateways had."""
    source = random.Random(seed)
    rate = load.streams / load.mean_seconds
    now, filled = 0.0, 5 * load.mean_seconds
    held = [0] * gateways
    since = [filled] * gateways
    most = [0] * gateways
    time_at: dict[int, float] = {}
    ends: list[tuple[float, int]] = []

    def count(gateway: int, until: float) -> None:
        if until > since[gateway]:
            time_at[held[gateway]] = time_at.get(held[gateway], 0.0) + until - since[gateway]
            since[gateway] = until

    while now < filled + seconds:
        now += source.expovariate(rate)
        while ends and ends[0][0] <= now:
            at, gateway = heapq.heappop(ends)
            count(gateway, at)
            held[gateway] -= 1
        gateway = source.randrange(gateways)
        count(gateway, now)
        held[gateway] += 1
        if now > filled:
            most[gateway] = max(most[gateway], held[gateway])
        heapq.heappush(ends, (now + source.expovariate(1 / load.mean_seconds), gateway))
    for gateway in range(gateways):
        count(gateway, filled + seconds)
    mean = sum(streams * lasted for streams, lasted in time_at.items()) / sum(time_at.values())
    return Fleet(
        gateways=gateways,
        streams_mean=mean,
        streams_p99=_quantile(time_at, 0.99),
        streams_max=max(most),
        busy_mean=busy(unit, load, mean),
        busy_max=busy(unit, load, max(most)),
        processors=gateways * busy(unit, load, mean),
        memory_bytes=gateways * (unit.base_bytes + mean * unit.stream_bytes),
        memory_max=unit.base_bytes + max(most) * unit.stream_bytes,
    )


def gateways_for(unit: Unit, load: Load, *, target: float) -> int:
    """Return how many gateways keep each below `target` of a processor, but for one moment in a thousand.

    The streams of a gateway are Poisson distributed; 3.1 standard deviations above its mean is that moment.
    """
    few, many = 1, load.streams
    while few < many:
        middle = (few + many) // 2
        mean = load.streams / middle
        if busy(unit, load, mean + 3.1 * math.sqrt(mean)) <= target:
            many = middle
        else:
            few = middle + 1
    return few


def _quantile(time_at: dict[int, float], share: float) -> float:
    left = share * sum(time_at.values())
    for streams in sorted(time_at):
        left -= time_at[streams]
        if left <= 0:
            return streams
    return max(time_at)


def table(unit: Unit, load: Load, fleets: Sequence[Fleet]) -> str:
    """Return the fleets as text."""
    head = f"  {'gateways':>9}{'streams each':>14}{'p99':>7}{'most':>7}{'busy':>8}{'worst':>8}{'CPUs':>8}{'GiB':>8}"
    rows = [
        f"  {one.gateways:>9,}{one.streams_mean:>14.1f}{one.streams_p99:>7.0f}{one.streams_max:>7.0f}"
        f"{one.busy_mean:>8.1%}{one.busy_max:>8.1%}{one.processors:>8.1f}{one.memory_bytes / 1024 / MIB:>8.1f}"
        for one in fleets
    ]
    told = (
        f"{load.streams:,} streams of {load.mean_seconds:g} s on average, {load.events_per_second:g} tokens/s each; a "
        f"request costs {unit.request_seconds * 1e6:.0f} us, an event {unit.event_seconds * 1e6:.1f} us, a stream "
        f"{unit.stream_bytes / 1024:.1f} KiB, a gateway {unit.base_bytes / MIB:.0f} MiB"
    )
    return "\n".join([told, "", head, *rows])
