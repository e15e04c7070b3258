"""`python -m modelpool_hostile`: attack the gateway, interpreted and compiled, and say what held in the last line."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from modelpool_cluster.compiled import CompiledTreeError, compiled_tree

from . import cases
from .case import CASES, Case
from .gateway import Build
from .innocents import Innocents
from .results import MOST_P99_MS, Outcome
from .rounds import Attack, say
from .watching import LIMIT_MIB, Memory
from .world import World

_SOURCES: Final = Path(__file__).parents[3] / "sidecar"
_BUILDS: Final = ("plain", "compiled")
assert cases.__all__


def main(argv: Sequence[str] | None = None) -> int:
    """0 when all held, 1 when something did not, 2 when the gateway could not be had."""
    options = _options(argv)
    outcome = Outcome()
    try:
        builds = [_build(name) for name in options.builds]
    except CompiledTreeError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    chosen = [case for case in CASES.values() if not options.case or case.name in options.case]
    try:
        while True:
            for build in builds:
                with asyncio.Runner() as runner:
                    runner.run(_attack(build, chosen, options, outcome))
            options.seed += 100_000
            if not options.endless:
                break
    except KeyboardInterrupt:
        say("interrupted")
    say("peak_rss_mib " + " ".join(f"{name}={peak:.0f}" for name, peak in outcome.peaks_mib.items()))
    say(outcome.last_line())
    return outcome.status(options.p99_ms)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m modelpool_hostile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="for all gateways together (120)")
    parser.add_argument("--seed", type=int, default=1, help="what chance begins with (1)")
    parser.add_argument("--case", action="append", choices=sorted(CASES), help="this case alone, once, with the seed itself")
    parser.add_argument("--builds", nargs="+", choices=_BUILDS, default=list(_BUILDS), help="which gateways (both)")
    parser.add_argument("--p99-ms", type=float, default=MOST_P99_MS, help="what the innocent may wait (100)")
    parser.add_argument("--endless", action="store_true", help="again and again, with other seeds, until Ctrl-C")
    return parser.parse_args(argv)


def _build(name: str) -> Build:
    return Build(name=name, folder=_SOURCES if name == "plain" else compiled_tree(say))


async def _attack(build: Build, chosen: Sequence[Case], options: argparse.Namespace, outcome: Outcome) -> None:
    """Attack one gateway that serves the routes of a file."""
    mine = [case for case in chosen if not case.cluster]
    if not mine:
        return
    heard: list[Callable[..., None]] = []
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        innocents = await Innocents.start(lambda told: heard[0](told))
        world = World(build, Path(folder), innocents.port)
        await world.start()
        await world.start_gateway()
        attack = Attack(name=build.name, world=world, innocents=innocents, chosen=mine, seed=options.seed)
        heard.append(attack.hear)
        memory = Memory(lambda: attack.under_way)
        try:
            async with asyncio.TaskGroup() as group:
                helping = [
                    group.create_task(innocents.listen(), name="hear the innocent"),
                    group.create_task(memory.watch(lambda: world.gateway), name="watch the memory"),
                ]
                await attack.run(options.seconds / len(options.builds), once=bool(options.case))
                for task in helping:
                    task.cancel()
        finally:
            await innocents.end()
            await world.stop()
            if memory.peak_mib >= LIMIT_MIB:
                attack.outcome.failed += 1
                worst = {names: round(peak) for names, peak in memory.peaks.items() if peak >= LIMIT_MIB}
                say(f"FAILED CASE=memory SEED={options.seed} gateway={build.name}: beyond {LIMIT_MIB:.0f} MiB: {worst}")
            attack.outcome.peaks_mib[build.name] = memory.peak_mib
            outcome.add(attack.outcome)


if __name__ == "__main__":
    raise SystemExit(main())
