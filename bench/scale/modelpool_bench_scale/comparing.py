"""What a request costs with many models, beside what it costs with one: measured on real processes.

What is looked for is smaller than what a machine does by chance. Its speed changes for seconds at a time, whatever runs
on it, so both sides are asked in turn, each for some hundredths of a second. Two processes of one build differ, so both
take the other's table halfway: what one has ahead of the other is then in one half's ratio as often as it is missing in
the other's, and their geometric mean is without it.
"""

import asyncio
import random
import statistics
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelpool_bench_scale import asking, processes, routes
from modelpool_bench_scale.asking import Callers
from modelpool_bench_scale.processes import Gateway

ROUNDS: Final = 120
"""Of each half."""
UNCOUNTED: Final = 4
"""Rounds before those, in which connections are opened and series made."""
ASKED: Final = 300
"""Different models that are asked in a large table, and requests of each gateway in each round."""
CONNECTIONS: Final = 8
SETTLE_SECONDS: Final = 2.0
QUIET: Final = 0.5
"""Share of a processor that a gateway is below when it has taken its table in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCost:
    """What a request costs with so many models on so many endpoints, beside one model in the same rounds."""

    models: int
    endpoints: int
    microseconds: float
    """Of processor time, the median of the starts."""
    smallest_microseconds: float
    ratio: float
    """The median of the starts'."""
    resident_mib: float
    idle_share: float
    """Of one processor, without a request: probes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """A table, and which of its models are asked."""

    document: bytes
    asked: list[int]
    knows_last: bool
    """Whether the large table's last model is in it."""

    @property
    def questions(self) -> list[bytes]:
        """What is asked, in turn."""
        return [asking.request("/v1/chat/completions", routes.name(number), stream=False) for number in self.asked]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A gateway, the connections to it, and the table that it has."""

    gateway: Gateway
    callers: Callers
    side: _Side


@dataclass(frozen=True, slots=True, kw_only=True)
class _Half:
    """Seconds of processor time for a request, each the median of the rounds."""

    small: float
    large: float
    ratio: float
    resident: int
    idle: float


async def request_cost(folder: Path, *, models: int, endpoints: int, starts: int) -> RequestCost:
    """Compare such a table with one of a single model, on as many pairs of gateways as `starts` says."""
    chosen = random.Random(1).sample(range(models), min(models, ASKED))
    pairs = [await _started(folder / str(number), models, endpoints, chosen) for number in range(starts)]
    halves = [half for pair in pairs for half in pair]
    return RequestCost(
        models=models,
        endpoints=endpoints,
        microseconds=statistics.median(half.large for half in halves) * 1e6,
        smallest_microseconds=statistics.median(half.small for half in halves) * 1e6,
        ratio=statistics.median(statistics.geometric_mean(half.ratio for half in pair) for pair in pairs),
        resident_mib=statistics.median(half.resident for half in halves) / 2**20,
        idle_share=statistics.median(half.idle for half in halves),
    )


async def _started(folder: Path, models: int, endpoints: int, chosen: list[int]) -> list[_Half]:
    """Start two gateways, and let each have either table."""
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(processes.engines(endpoints))
        small = _Side(document=routes.document(1, urls[:1]), asked=[0], knows_last=False)
        large = _Side(document=routes.document(models, urls), asked=chosen, knows_last=True)
        both = []
        for name in ("first", "second"):
            started = processes.gateway(folder / name, small.document, ready=routes.name(0))
            gateway = await stack.enter_async_context(started)
            both.append((gateway, await stack.enter_async_context(asking.callers(gateway.port, CONNECTIONS))))
        halves = []
        for order in (both, both[::-1]):
            one, many = (
                _Asked(gateway=gateway, callers=callers, side=side)
                for (gateway, callers), side in zip(order, (small, large), strict=True)
            )
            for asked in (one, many):
                await _follow(asked, models)
            halves.append(await _compared(one, many))
        return halves


async def _follow(asked: _Asked, models: int) -> None:
    """Have a gateway take its table in, and wait until it has and answers for all that will be asked."""
    gateway, side = asked.gateway, asked.side
    gateway.follow(side.document)
    await processes.until_serving(gateway.port, routes.name(models - 1), known=side.knows_last)
    for number in side.asked:
        await processes.until_serving(gateway.port, routes.name(number))
    await _until_quiet(gateway)


async def _compared(one: _Asked, many: _Asked) -> _Half:
    """Ask both in turn; who comes first changes with each round."""
    resting, idle = await asyncio.gather(_idle_share(one.gateway), _idle_share(many.gateway))
    pairs = []
    for turn in range(UNCOUNTED + ROUNDS):
        if turn % 2:
            large, lasted = await _cost(many)
            small, _ = await _cost(one)
        else:
            small, _ = await _cost(one)
            large, lasted = await _cost(many)
        pairs.append((small, large - (idle - resting) * lasted))
    del pairs[:UNCOUNTED]
    return _Half(
        small=statistics.median(small for small, _ in pairs),
        large=statistics.median(large for _, large in pairs),
        ratio=statistics.median(large / small for small, large in pairs),
        resident=many.gateway.resident(),
        idle=idle,
    )


async def _cost(asked: _Asked) -> tuple[float, float]:
    """Return the processor seconds for each request, and the seconds on the clock for each."""
    gateway, questions = asked.gateway, asked.side.questions
    before, began = gateway.cpu_seconds(), time.monotonic()
    await asked.callers.ask(questions, ASKED)
    return (gateway.cpu_seconds() - before) / ASKED, (time.monotonic() - began) / ASKED


async def _idle_share(gateway: Gateway) -> float:
    before, began = gateway.cpu_seconds(), time.monotonic()
    await asyncio.sleep(SETTLE_SECONDS)
    return (gateway.cpu_seconds() - before) / (time.monotonic() - began)


async def _until_quiet(gateway: Gateway) -> None:
    """Wait until the gateway has taken its table in; or a minute has passed."""
    for _ in range(120):
        before = gateway.cpu_seconds()
        await asyncio.sleep(0.5)
        if gateway.cpu_seconds() - before < QUIET / 2:
            return
