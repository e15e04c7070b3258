"""What is measured, on real processes: a request against the size of the table, streams, endpoints, a new table."""

import asyncio
import random
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelpool_bench_scale import asking, processes, routes
from modelpool_bench_scale.processes import Gateway

STARTS: Final = 3
"""Of each pair of gateways: two processes of one build were seen to differ by up to 17 %, all through their lives."""
ROUNDS: Final = 5
"""Of each start."""
REQUESTS: Final = 3000
"""Of each gateway in each round."""
CONNECTIONS: Final = 8
STREAMS: Final = 1000
SETTLE_SECONDS: Final = 2.0
ASKED: Final = 300
"""Different models that are asked in a large table."""
V1: Final = "/v1/chat/completions"


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
class StreamCost:
    """What a stream costs while it is open."""

    path: str
    streams: int
    kib: float
    """Of memory, for each."""
    microseconds_per_event: float
    """Of processor time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapCost:
    """What it takes to follow a new routes file."""

    models: int
    seconds: float
    """Of processor time, from the change of the file until it is in force."""


async def request_cost(folder: Path, *, models: int, endpoints: int) -> RequestCost:
    """Ask a gateway with such a table and one with a single model in turn, started several times."""
    chosen = random.Random(1).sample(range(models), min(models, ASKED))
    starts = [await _started(folder / str(number), models, endpoints, chosen) for number in range(STARTS)]
    return RequestCost(
        models=models,
        endpoints=endpoints,
        microseconds=statistics.median(start.large for start in starts) * 1e6,
        smallest_microseconds=statistics.median(start.small for start in starts) * 1e6,
        ratio=statistics.median(start.ratio for start in starts),
        resident_mib=statistics.median(start.resident for start in starts) / 2**20,
        idle_share=statistics.median(start.idle for start in starts),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """Two gateways side by side, seconds of processor time for a request; each the median of the rounds."""

    small: float
    large: float
    ratio: float
    resident: int
    idle: float


async def _started(folder: Path, models: int, endpoints: int, chosen: list[int]) -> _Start:
    async with (
        processes.engines(endpoints) as urls,
        processes.gateway(folder / "one", routes.document(1, urls[:1]), ready=routes.name(0)) as one,
        processes.gateway(folder / "many", routes.document(models, urls), ready=routes.name(models - 1)) as many,
    ):
        await _until_quiet(many)
        await _until_served(many, chosen)
        idle = await _idle_share(many)
        background = idle - await _idle_share(one)
        small = [asking.request(V1, routes.name(0), stream=False)]
        large = [asking.request(V1, routes.name(number), stream=False) for number in chosen]
        pairs = []
        for turn in range(-1, ROUNDS):
            sides = [(one, small), (many, large)]
            costs = {side.pid: await _cost(side, questions) for side, questions in (sides if turn % 2 else sides[::-1])}
            if turn >= 0:
                pairs.append((costs[one.pid][0], costs[many.pid][0] - background * costs[many.pid][1]))
        return _Start(
            small=statistics.median(small for small, _ in pairs),
            large=statistics.median(large for _, large in pairs),
            ratio=statistics.median(large / small for small, large in pairs),
            resident=many.resident(),
            idle=idle,
        )


async def _cost(gateway: Gateway, questions: list[bytes]) -> tuple[float, float]:
    """Return the processor seconds for each request, and the seconds on the clock for each."""
    before, began = gateway.cpu_seconds(), time.monotonic()
    await asking.ask(gateway.port, questions, count=REQUESTS, connections=CONNECTIONS)
    return (gateway.cpu_seconds() - before) / REQUESTS, (time.monotonic() - began) / REQUESTS


async def _idle_share(gateway: Gateway) -> float:
    before, began = gateway.cpu_seconds(), time.monotonic()
    await asyncio.sleep(SETTLE_SECONDS)
    return (gateway.cpu_seconds() - before) / (time.monotonic() - began)


async def _until_quiet(gateway: Gateway) -> None:
    """Wait until the gateway has taken its table in: it uses less than half a processor; or a minute has passed."""
    for _ in range(60):
        before = gateway.cpu_seconds()
        await asyncio.sleep(1.0)
        if gateway.cpu_seconds() - before < 0.5:
            return


async def _until_served(gateway: Gateway, chosen: list[int]) -> None:
    for number in chosen:
        await processes.until_serving(gateway.port, routes.name(number))


async def stream_cost(folder: Path, path: str) -> StreamCost:
    """Open streams, and see what the gateway's memory and processor time do."""
    async with (
        processes.engines(1) as urls,
        processes.gateway(folder, routes.document(1, urls), ready=routes.name(0)) as gateway,
    ):
        question = asking.request(path, routes.name(0), stream=True)
        async with asking.streams(gateway.port, question, 20):
            pass
        await asyncio.sleep(0.5)
        before = gateway.resident()
        async with asking.streams(gateway.port, question, STREAMS) as listeners:
            counted, cpu = sum(one.chunks for one in listeners), gateway.cpu_seconds()
            await asyncio.sleep(SETTLE_SECONDS)
            used = gateway.cpu_seconds() - cpu
            events = sum(one.chunks for one in listeners) - counted
            held = gateway.resident() - before
        return StreamCost(
            path=path, streams=STREAMS, kib=held / STREAMS / 1024, microseconds_per_event=used / events * 1e6
        )


async def swap_cost(folder: Path, *, models: int) -> SwapCost:
    """Replace the routes file by one with a model more, and wait until that is served."""
    async with (
        processes.engines(1) as urls,
        processes.gateway(folder, routes.document(models, urls), ready=routes.name(models - 1)) as gateway,
    ):
        used = []
        for more in range(1, 4):
            before = gateway.cpu_seconds()
            fresh = gateway.routes.with_suffix(".new")
            fresh.write_bytes(routes.document(models + more, urls))
            fresh.replace(gateway.routes)
            await processes.until_serving(gateway.port, routes.name(models + more - 1))
            used.append(gateway.cpu_seconds() - before)
        return SwapCost(models=models, seconds=statistics.median(used))
