"""`python -m modelpool_bench_scale`: measure what grows, simulate a large fleet from it, print tables and JSON."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Final

from modelpool_bench_gateway import built
from modelpool_bench_scale import capacity, comparing, costs, processes
from modelpool_bench_scale.capacity import Load, Unit
from modelpool_bench_scale.comparing import RequestCost
from modelpool_bench_scale.costs import StreamCost, SwapCost

TABLES: Final = ((100, 1), (10_000, 1), (1000, 100), (1000, 1000))
"""Models and endpoints: first what models cost, on as many endpoints as one has, then what endpoints do."""
LARGEST: Final = TABLES[1]
STARTS: Final = 3
"""Of the largest, which has a goal."""
PATHS: Final = ("/v1/chat/completions", "/api/chat")
FLEET: Final = 1000
STREAMS: Final = 100_000
TARGET: Final = 0.6
"""Share of a processor that a gateway should stay below: the rest is for bursts."""
SIMULATED_SECONDS: Final = 30.0
GOALS: Final = {"request": 1.05, "stream": 40.0}


def main() -> None:
    """Measure, simulate, print."""
    build = built.measured().kind
    processes.stay_beside()
    asyncio.run(_run(build))


async def _run(build: str) -> None:
    with tempfile.TemporaryDirectory(prefix="modelpool-scale-") as name:
        folder = Path(name)
        requests = []
        for models, endpoints in TABLES:
            print(f"measuring {models} models on {endpoints} endpoints", file=sys.stderr)
            place = folder / f"{models}-{endpoints}"
            starts = STARTS if (models, endpoints) == LARGEST else 1
            requests.append(await comparing.request_cost(place, models=models, endpoints=endpoints, starts=starts))
        print("measuring streams and a new table", file=sys.stderr)
        streams = [await costs.stream_cost(folder / str(number), path) for number, path in enumerate(PATHS)]
        swap = await costs.swap_cost(folder / "swap", models=LARGEST[0])
    unit = _unit(requests[0], streams)
    load = Load(streams=STREAMS)
    needed = capacity.gateways_for(unit, load, target=TARGET)
    fleets = [
        capacity.simulate(unit, load, gateways=count, seconds=SIMULATED_SECONDS, seed=1) for count in (FLEET, needed)
    ]
    print(f"The gateway was {build}.\n")
    print(_costs(requests, streams, swap))
    print(capacity.table(unit, load, fleets))
    print(
        f"\n{needed} gateways are the fewest that stay below {TARGET:.0%} of a processor, but for one moment in 1000.\n"
    )
    for line in _lines(requests, streams, swap):
        print(json.dumps({**line, "build": build}))


def _unit(request: RequestCost, streams: list[StreamCost]) -> Unit:
    """Return the costs to plan with: of both dialects the dearer."""
    return Unit(
        request_seconds=request.smallest_microseconds / 1e6,
        event_seconds=max(one.microseconds_per_event for one in streams) / 1e6,
        base_bytes=request.resident_mib * 2**20,
        stream_bytes=max(one.kib for one in streams) * 1024,
    )


def _costs(requests: list[RequestCost], streams: list[StreamCost], swap: SwapCost) -> str:
    lines = [
        "A request against the size of the table: processor time, and one of a table of one model in the same rounds",
        "",
        f"  {'models':>8}{'endpoints':>11}{'us':>8}{'one model':>11}{'ratio':>8}{'MiB':>8}{'at rest':>9}",
    ]
    lines += [
        f"  {one.models:>8,}{one.endpoints:>11,}{one.microseconds:>8.0f}{one.smallest_microseconds:>11.0f}"
        f"{one.ratio:>8.3f}{one.resident_mib:>8.1f}{one.idle_share:>9.1%}"
        for one in requests
    ]
    lines += ["", f"Streams, {streams[0].streams} at once", "", f"  {'path':<24}{'KiB each':>10}{'us per event':>14}"]
    lines += [f"  {one.path:<24}{one.kib:>10.1f}{one.microseconds_per_event:>14.1f}" for one in streams]
    lines += ["", f"A new table of {swap.models:,} models: {swap.seconds * 1e3:.0f} ms of processor time", ""]
    return "\n".join(lines)


def _lines(requests: list[RequestCost], streams: list[StreamCost], swap: SwapCost) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = [
        {
            "measure": f"scale/request/{one.models}-models/{one.endpoints}-endpoints",
            "ratio": round(one.ratio, 3),
            "microseconds": round(one.microseconds, 1),
            "one_model_microseconds": round(one.smallest_microseconds, 1),
            "goal": GOALS["request"],
        }
        for one in requests
    ]
    lines += [
        {
            "measure": f"scale/stream-memory{one.path}",
            "ratio": round(one.kib / GOALS["stream"], 3),
            "kib": round(one.kib, 1),
            "goal_kib": GOALS["stream"],
        }
        for one in streams
    ]
    lines.append({"measure": "scale/swap", "models": swap.models, "processor_seconds": round(swap.seconds, 3)})
    return lines


if __name__ == "__main__":
    main()
