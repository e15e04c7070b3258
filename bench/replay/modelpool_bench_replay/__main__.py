"""`python -m modelpool_bench_replay`: fit, run every scenario with both sets of speeds, print tables and JSON lines."""

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

from modelpool_bench_gateway import built
from modelpool_bench_replay import fitting, pipeline, report, runs, scenarios, timeline
from modelpool_bench_replay.speeds import SpeedSet


def main() -> None:
    """Run; leaves with status 1 when a figure that must hold does not."""
    parser = argparse.ArgumentParser(prog="modelpool_bench_replay", description=__doc__)
    parser.add_argument("--speeds", choices=[one.value for one in SpeedSet], help="only this set; default: both")
    parser.add_argument("--scenario", action="append", choices=[one.name for one in scenarios.ALL], help="default: all")
    parser.add_argument("--slower", type=float, default=1.0, help="compress time by so much less; default: 1")
    parser.add_argument("--rounds", type=int, default=3, help="of each, of which the middle one counts; default: 3")
    parser.add_argument("--pictures", type=Path, help="folder for a timeline of each scenario")
    options = parser.parse_args()
    sys.exit(asyncio.run(_run(options)))


async def _run(options: argparse.Namespace) -> int:
    build = built.measured()
    os.environ.update(build.environ())  # the pools' programs inherit it
    recorded = pipeline.read()
    rates = fitting.fit(recorded)
    print(report.of_fit(recorded, rates))
    chosen = [one for one in scenarios.ALL if not options.scenario or one.name in options.scenario]
    sets = [SpeedSet(options.speeds)] if options.speeds else list(SpeedSet)
    done: list[runs.Run] = []
    for scenario in chosen:
        for speeds in sets if scenario.pool else [None]:
            fresh = []
            for compression, at_once in runs.GROUPS.items():
                began = time.monotonic()
                slower = compression / options.slower
                fresh += await runs.run(
                    scenario, speeds, recorded, compression=slower, at_once=at_once, rounds=options.rounds
                )
                name = f"{scenario.name} ({speeds.value})" if speeds else scenario.name
                print(f"{name}, {at_once} at once: {time.monotonic() - began:.1f} s", file=sys.stderr)
            done += fresh
            if options.pictures:
                timeline.write(options.pictures, fresh)
    print(report.of_runs(recorded, done))
    print(f"The gateway was {build.kind}.")
    print(report.json_lines(done, build.kind))
    return 0


if __name__ == "__main__":
    main()
