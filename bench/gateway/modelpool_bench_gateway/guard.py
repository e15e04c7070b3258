"""Holds the gateway's processor time per request and per chunk against a bare relay's, measured in the same run.

The ratio of the two says how much the gateway does beyond the least. Both are Python on the same event loop, on the
same CPU, asked in turn for a fixed number of requests or chunks, each chunk sent when its caller has got the one
before: how a busy machine bunches work together then matters little. What is judged is the lower quartile of the
rounds' ratios: what runs beside costs the one with more code more, and never less. It scatters by 2 % on a machine that
is twice overcommitted, by 7 % where the median does by 8. When it is too high, more rounds are measured, twice at most,
and all are judged together.

`python -m modelpool_bench_gateway.guard`: 0 when all ratios are within their limits, 1 when one is not, 3 when nothing
could be measured. `--slow 30` makes the gateway cost 30 % more than it does, which must not pass.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelpool_cluster.controlplane.supervise import die_with

from . import asking, built, load, peers, scenarios, starting
from .asking import Scenario
from .built import COMPILED, INTERPRETED
from .load import Load
from .measuring import Cpus
from .starting import PeerFailedError, Target

SLACK: Final = 1.15
"""What a ratio may rise above its reference: twice what runs on a busy machine differ by, half of 30 %."""
ROUNDS: Final = 10
"""Of one set."""
SETS: Final = 3
_SET_SECONDS: Final = 13.0
"""After which a set ends early on a busy machine, but never with fewer than half of its rounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One cost that is held."""

    name: str
    scenario: Scenario
    references: Mapping[str, float]
    """The gateway's processor time by the relay's, as it was when this was last fitted (`--rounds 40`): the compiled
    gateway's, and the interpreted one's for a machine that cannot compile it."""

    def limit(self, build: str) -> float:
        """The highest ratio that passes, for what the gateway is."""
        return self.references[build] * SLACK


def _requests(units: int) -> Scenario:
    return Scenario(body=scenarios.body(), connections=8, warmup=0.05, seconds=10.0, units=units)


def _chunks(path: str, units: int) -> Scenario:
    return Scenario(
        path=path, body=scenarios.body(stream=True), connections=8, stream=True, tokens=1_000_000, lockstep=True,
        warmup=0.05, seconds=10.0, units=units,
    )  # fmt: skip


ALL: Final = (
    Held(name="request", scenario=_requests(800), references={COMPILED: 1.04, INTERPRETED: 1.90}),
    Held(name="chunk", scenario=_chunks(scenarios.OPENAI, 3000), references={COMPILED: 0.99, INTERPRETED: 1.15}),
    Held(
        name="translated chunk",
        scenario=_chunks(scenarios.OLLAMA, 3000),
        references={COMPILED: 1.10, INTERPRETED: 1.52},
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What both cost in one round, in microseconds of processor time."""

    gateway: float
    relay: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the rounds came to."""

    held: Held
    build: str
    """What the gateway was: compiled or interpreted."""
    pairs: tuple[Pair, ...]

    @property
    def ratio(self) -> float:
        """The lower quartile of the rounds' ratios."""
        ratios = sorted(pair.gateway / pair.relay for pair in self.pairs)
        return ratios[len(ratios) // 4]

    @property
    def passes(self) -> bool:
        """Whether the gateway costs no more than it may."""
        return self.ratio <= self.held.limit(self.build)

    def record(self) -> dict[str, object]:
        """The verdict as a document."""
        return {
            "bench": "guard",
            "build": self.build,
            "measure": f"cpu per {self.held.name}",
            "unit": "us",
            "ratio": round(self.ratio, 3),
            "gateway": round(statistics.median(pair.gateway for pair in self.pairs), 2),
            "relay": round(statistics.median(pair.relay for pair in self.pairs), 2),
            "limit": round(self.held.limit(self.build), 3),
            "passes": self.passes,
        }

    def __str__(self) -> str:
        told = self.record()
        return (
            f"{self.held.name:18}{told['gateway']:>10} us{told['relay']:>10} us{self.ratio:10.2f}"
            f"{self.held.limit(self.build):10.2f}  {'ok' if self.passes else 'TOO MUCH'}"
        )


HEADING: Final = f"{'processor time per':18}{'gateway':>13}{'bare relay':>13}{'ratio':>10}{'limit':>10}"


def judge(more: Callable[[], Sequence[Sequence[Pair]]], build: str) -> list[Verdict]:
    """Verdicts in the order of ALL. `more` measures some rounds of each; it is asked again when one does not pass."""
    pairs: list[tuple[Pair, ...]] = [() for _ in ALL]
    verdicts: list[Verdict] = []
    for _ in range(SETS):
        pairs = [(*before, *new) for before, new in zip(pairs, more(), strict=True)]
        verdicts = [Verdict(held=held, build=build, pairs=mine) for held, mine in zip(ALL, pairs, strict=True)]
        if all(verdict.passes for verdict in verdicts):
            break
    return verdicts


@contextlib.contextmanager
def stage(slow: float, say: Callable[[str], None]) -> Iterator[Callable[[int], list[list[Pair]]]]:
    """A gateway and a relay that run; what is lent measures so many rounds. Raises LoadError, PeerFailedError."""
    program = load.build(say)
    cpus = Cpus.available()
    ours = peers.ALL[0] if not slow else peers.slowed(slow)
    with (
        tempfile.TemporaryDirectory(prefix="modelpool-guard-") as folder,
        load.running(program, cpus.load) as callers,
        relaying(callers.port, cpus.peers) as relay,
        starting.running(ours, Path(folder), callers.url, cpus.peers, os.environ) as gateway,
    ):
        yield lambda rounds: _rounds(callers, gateway, relay, rounds)


@contextlib.contextmanager
def relaying(upstream: int, cpu: int | None) -> Iterator[Target]:
    """A bare relay before an upstream on the loopback. Raises PeerFailedError."""
    module = f"{__package__}.relay"
    words = (*load.on_cpu(cpu), sys.executable, "-m", module, f"{asking.MODEL}=127.0.0.1:{upstream}")
    arm = die_with(os.getpid())
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, preexec_fn=arm) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            if not port:
                raise PeerFailedError("the relay did not start")
            yield Target(name="relay", address=f"127.0.0.1:{port}", pids=(process.pid,))
        finally:
            process.terminate()


def _rounds(callers: Load, gateway: Target, relay: Target, count: int) -> list[list[Pair]]:
    found: list[list[Pair]] = [[] for _ in ALL]
    ends = time.monotonic() + _SET_SECONDS
    for number in range(count):
        if number >= count / 2 and time.monotonic() > ends:
            break
        for index, held in enumerate(ALL):
            # Each goes first in every other round.
            pair = (gateway, relay) if number % 2 else (relay, gateway)
            costs = {target.name: _cost(callers, held.scenario, target) for target in pair}
            found[index].append(Pair(gateway=costs[gateway.name], relay=costs[relay.name]))
    return found


def _cost(callers: Load, scenario: Scenario, target: Target) -> float:
    result = callers.run(scenario, target.address, target.pids)
    units = result.tokens if scenario.stream else result.requests
    if result.errors or not units:
        raise PeerFailedError(f"{target.name} answered {result.errors} times wrongly: {result.error}")
    return result.cpu_seconds / units * 1e6


def main(argv: Sequence[str]) -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}.guard", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    parser.add_argument("--slow", type=float, default=0.0, metavar="PERCENT", help="what the gateway is to cost more")
    asked = parser.parse_args(argv)
    build = built.measured().kind
    began = time.monotonic()
    try:
        with stage(asked.slow, lambda text: print(text, file=sys.stderr)) as measure:
            verdicts = judge(lambda: measure(asked.rounds), build)
    except (load.LoadError, PeerFailedError) as error:
        print(error, file=sys.stderr)
        return 3
    print(HEADING, *verdicts, sep="\n")
    print(f"the gateway was {build}; {len(verdicts[0].pairs)} rounds in {time.monotonic() - began:.0f} s")
    print(*(json.dumps(verdict.record()) for verdict in verdicts), sep="\n")
    return 0 if all(verdict.passes for verdict in verdicts) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
