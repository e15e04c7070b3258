"""`python -m modelpool_hostile`: attack the gateway, interpreted and compiled, with its routes in a file and on a real
API server, and say what held in the last line.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from modelpool_under_test.compiled import CompiledTreeError, compiled_tree

from . import apiserver, cases
from .apiserver import ApiServer, NoApiServerError
from .case import CASES, Case
from .gateway import Build
from .innocents import Innocents
from .results import MOST_P99_MS, Outcome
from .rounds import Attack, say
from .watching import LIMIT_MIB, Memory
from .world import World

_SOURCES: Final = Path(__file__).parents[3] / "sidecar"
_BUILDS: Final = ("plain", "compiled")
_ROUTES: Final = ("file", "cluster")
_NEXT: Final = 100_000
"""How far apart the seeds of two turns of an endless run are."""
_TOLD: Final = "outcome "
assert cases.__all__


def main(argv: Sequence[str] | None = None) -> int:
    """0 when all held, 1 when something did not, 2 when the gateway could not be had."""
    options = _options(argv)
    outcome = Outcome()
    try:
        builds = [_build(name) for name in options.builds]
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                _turn(builds, options, outcome)
                options.seed += _NEXT
                if not options.endless:
                    break
    except CompiledTreeError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    if options.tell:
        say(_TOLD + json.dumps(asdict(outcome)))
        return 0
    say("peak_rss_mib " + " ".join(f"{name}={peak:.0f}" for name, peak in outcome.peaks_mib.items()))
    say(outcome.last_line())
    return outcome.status(options.p99_ms)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m modelpool_hostile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=240, help="for all gateways together (240)")
    parser.add_argument("--seed", type=int, default=1, help="what chance begins with (1)")
    parser.add_argument(
        "--case", action="append", choices=sorted(CASES), help="this case alone, once, with the very seed"
    )
    parser.add_argument("--builds", nargs="+", choices=_BUILDS, default=list(_BUILDS), help="which gateways (both)")
    parser.add_argument(
        "--routes", nargs="+", choices=_ROUTES, default=list(_ROUTES), help="where its routes are (both)"
    )
    parser.add_argument("--at-once", type=int, default=8, help="how many cases are tried at the same time (8)")
    parser.add_argument("--light", action="store_true", help="leave out what takes much memory or a gateway of its own")
    parser.add_argument("--p99-ms", type=float, default=MOST_P99_MS, help="what the innocent may wait (100)")
    parser.add_argument("--endless", action="store_true", help="again and again, with other seeds, until Ctrl-C")
    parser.add_argument("--tell", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def _build(name: str) -> Build:
    return Build(name=name, folder=_SOURCES if name == "plain" else compiled_tree(say))


def _turn(builds: Sequence[Build], options: argparse.Namespace, outcome: Outcome) -> None:
    """Attack each gateway once."""
    seconds = options.seconds / len(builds) / len(options.routes)
    chosen = [case for case in CASES.values() if not options.case or case.name in options.case]
    chosen = [case for case in chosen if not (case.alone and options.light)]
    for routes in options.routes:
        mine = [case for case in chosen if not (case.cluster if routes == "file" else case.files)]
        if not mine:
            continue
        if routes == "cluster" and not options.tell:
            _elsewhere(options, outcome)
            continue
        with _api_server(routes) as api:
            for build in builds:
                with asyncio.Runner() as runner:
                    runner.run(_attack(build, mine, api, seconds, options, outcome))


@contextlib.contextmanager
def _api_server(routes: str) -> Iterator[ApiServer | None]:
    if routes == "file":
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder, apiserver.running(Path(folder)) as api:
        yield api


def _elsewhere(options: argparse.Namespace, outcome: Outcome) -> None:
    """Do the API server's part in a program of its own, which sees a network of its own."""
    seconds = options.seconds / len(options.routes)
    told = [
        f"--seconds={seconds}",
        f"--seed={options.seed}",
        f"--at-once={options.at_once}",
        "--routes",
        "cluster",
        "--tell",
        "--builds",
        *options.builds,
    ]
    told += ["--light"] if options.light else []
    told += [f"--case={name}" for name in options.case or ()]
    try:
        command = apiserver.inside([sys.executable, "-m", __package__ or "", *told])
    except NoApiServerError as wrong:
        say(f"left out: the part on an API server, for want of {wrong}")
        return
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(_TOLD):
                outcome.add(Outcome(**json.loads(line.removeprefix(_TOLD))))
            else:
                say(line.rstrip("\n"))
    if process.returncode != 0:
        outcome.tried += 1
        outcome.failed += 1
        say(f"FAILED CASE=api_server SEED={options.seed}: the part on an API server ended with {process.returncode}")


async def _attack(
    build: Build, chosen: Sequence[Case], api: ApiServer | None, seconds: float, options: argparse.Namespace,
    outcome: Outcome,
) -> None:  # fmt: skip
    """Attack one gateway."""
    name = build.name if api is None else f"{build.name}-on-api-server"
    heard: list[Callable[..., None]] = []
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        host = "127.0.0.1" if api is None else apiserver.ADDRESS
        innocents = await Innocents.start(host, lambda told: heard[0](told))
        world = World(build, Path(folder), innocents.port, api)
        await world.start()
        await world.start_gateway()
        attack = Attack(
            name=name, world=world, innocents=innocents, chosen=chosen, seed=options.seed, at_once=options.at_once
        )
        heard.append(attack.hear)
        memory = Memory(lambda: attack.under_way)
        try:
            async with asyncio.TaskGroup() as group:
                helping = [
                    group.create_task(innocents.listen(), name="hear the innocent"),
                    group.create_task(memory.watch(lambda: world.gateway), name="watch the memory"),
                ]
                try:
                    await attack.run(seconds, once=bool(options.case))
                finally:
                    for task in helping:
                        task.cancel()
                    if memory.peak_mib >= LIMIT_MIB:
                        attack.fail("memory", options.seed, f"beyond {LIMIT_MIB:.0f} MiB: {memory.beyond(LIMIT_MIB)}")
                    attack.outcome.peaks_mib[name] = memory.peak_mib
                    outcome.add(attack.outcome)
        finally:
            await innocents.end()
            await world.stop()
            if api is not None:
                await api.forget(apiserver.HOME)


if __name__ == "__main__":
    raise SystemExit(main())
