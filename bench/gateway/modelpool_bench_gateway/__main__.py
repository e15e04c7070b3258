"""`python -m modelpool_bench_gateway`: the gateway and its peers in one run; `--help` tells the rest."""

import argparse
import datetime
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from . import built, goals, load, measures, measuring, page, peers, picture, scenarios, starting
from .measuring import Cpus
from .starting import Target

ROOT: Final = Path(__file__).parents[3]
RESULTS: Final = ROOT / ".cache" / "bench"
DOCUMENT: Final = ROOT / "docs" / "performance.md"
PICTURE: Final = ROOT / "docs" / "images" / "bench-gateway.svg"
_BUSY: Final = 1.0
"""Load average beyond the number of CPUs from which a clock on the wall measures the neighbours."""
_QUICK_PEERS: Final = "gateway vllm-router"


def main(argv: Sequence[str]) -> int:
    """0 when all was measured that could be had, 1 when the gateway itself could not be."""
    asked = _arguments(argv)
    names = (asked.peers or (_QUICK_PEERS if asked.quick else "")).replace(",", " ").split()
    unknown = set(names) - {peer.word for peer in peers.ALL} - {peers.DIRECT}
    if unknown:
        sys.stderr.write(f"peers must be of {', '.join(peer.word for peer in peers.ALL)}, got {sorted(unknown)}\n")
        return 2
    wanted = [peer for peer in peers.ALL if not names or peer.word in names or peer.name == peers.OURS]
    tasks = [task for task in scenarios.ALL if not asked.quick or task.name in scenarios.QUICK]
    rounds = asked.rounds or (1 if asked.quick else 3)
    if asked.seconds:
        tasks = [task.scaled(_factor(tasks, asked.seconds, rounds * (len(wanted) + 1))) for task in tasks]
    running = {name: _running(name, value) for name, _, value in (text.partition("=") for text in asked.running)}
    cpus = Cpus.available()
    build = built.measured().kind
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="modelpool-bench-") as folder:
        try:
            found = measuring.measure(
                wanted, running, tasks, rounds=rounds, cpus=cpus, folder=Path(folder), port=asked.port, say=_say
            )
        except load.LoadError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    if peers.OURS not in found.rounds:
        return 1
    ratios = measures.ratios(peers.OURS, found.rounds, found.direct)
    where = f"{platform.machine()}, {os.cpu_count()} CPUs, load on CPU {cpus.load}, each gateway on CPU {cpus.peers}"
    print(f"\n{where}, {rounds} rounds, {time.monotonic() - began:.0f} s; the gateway was {build}\n")
    print(*page.figures(found.rounds, found.direct), "", *page.ratios(ratios), sep="\n")
    for name, why in found.skipped.items():
        print(f"skipped {name}: {why.splitlines()[0]}")
    for (name, task), why in sorted(found.errors.items()):
        print(f"errors of {name} in {task}: {why.splitlines()[0] if why else ''}")
    for name, task in sorted(found.saturated):
        print(f"the load program had no time left: {name} in {task}")
    for goal, ratio in goals.missed(ratios):
        print(f"missed: {ratio.measure} against {ratio.peer} {goal}, got {ratio.median:.2f} (best {ratio.best:.2f})")
    _write(ratios, found, where, rounds, build)
    quiet = os.getloadavg()[0] < _BUSY + (os.cpu_count() or 1)
    if asked.docs and not quiet:
        print("the machine was busy: only processor time and memory are published")
    if asked.docs:
        PICTURE.write_text(picture.draw(found.rounds, found.direct, found.versions, where, wall_clock=quiet))
        versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
        told = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {_processor()}, {where}, {rounds} rounds: {versions}."
        DOCUMENT.write_text(page.replaced(DOCUMENT.read_text(), told, found.rounds, ratios, wall_clock=quiet))
    print(*page.lines(ratios, build), sep="\n")
    return 0


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m modelpool_bench_gateway", description=__doc__)
    parser.add_argument("--peers", default="", help="names of those to measure beside the gateway (default: all)")
    parser.add_argument("--rounds", type=int, default=0, help="default 3, of --quick 1")
    parser.add_argument("--seconds", type=float, default=0.0, help="how long to measure in all, about")
    parser.add_argument("--quick", action="store_true", help="a minute's look, against vllm-router alone")
    parser.add_argument("--docs", action="store_true", help="renew the figures and the picture in docs")
    parser.add_argument(
        "--running",
        action="append",
        default=[],
        metavar="NAME=HOST:PORT,PID",
        help="measure a gateway that you started yourself, before the upstream of --port",
    )
    parser.add_argument("--port", type=int, default=0, help="where the simulated vLLM listens (default: anywhere)")
    return parser.parse_args(argv)


def _running(name: str, value: str) -> Target:
    address, _, pid = value.partition(",")
    return Target(name=name, address=address, pids=tuple(starting.family(int(pid))) if pid else ())


def _factor(tasks: Sequence[scenarios.Task], seconds: float, repeated: int) -> float:
    """How much longer to measure than is set, so that all takes so many seconds; a tenth at least."""
    waiting = sum(task.lasts - task.scenario.seconds for task in tasks) * repeated
    measured = sum(task.scenario.seconds for task in tasks) * repeated
    return max(0.1, (seconds - waiting) / measured)


def _write(ratios: Sequence[measures.Ratio], found: measuring.Measured, where: str, rounds: int, build: str) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    document = {
        "machine": where,
        "rounds": rounds,
        "versions": found.versions,
        "skipped": found.skipped,
        "ratios": [page.record(ratio, build) for ratio in ratios],
    }
    (RESULTS / "gateway.json").write_text(json.dumps(document, indent=1) + "\n")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
