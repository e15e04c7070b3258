"""What streams and a new table cost, measured on real processes."""

import asyncio
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelpool_bench_scale import asking, processes, routes

STREAMS: Final = 1000
SETTLE_SECONDS: Final = 2.0


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
            gateway.follow(routes.document(models + more, urls))
            await processes.until_serving(gateway.port, routes.name(models + more - 1))
            used.append(gateway.cpu_seconds() - before)
        return SwapCost(models=models, seconds=statistics.median(used))
