"""Asks everybody everything, in turn, round after round, so that what disturbs the machine disturbs all alike."""

import os
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from . import installing, load, measures, peers, starting
from .asking import Result, Summary
from .load import Load
from .peers import Peer
from .scenarios import Task
from .starting import PeerFailedError, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpus:
    """Where the two sides run; None: anywhere."""

    load: int | None
    peers: int | None

    @classmethod
    def available(cls) -> "Cpus":
        """Two of those this process may use, when there are two."""
        mine = sorted(os.sched_getaffinity(0))
        return cls(load=mine[0], peers=mine[1]) if len(mine) > 1 else cls(load=None, peers=None)


@dataclass(slots=True, kw_only=True)
class Measured:
    """All that was found."""

    versions: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    """Peers that were left out, and why."""
    rounds: dict[str, list[dict[str, Result]]] = field(default_factory=dict)
    direct: list[dict[str, Result]] = field(default_factory=list)
    errors: dict[tuple[str, str], str] = field(default_factory=dict)
    """The first error of a gateway in a task."""
    saturated: set[tuple[str, str]] = field(default_factory=set)
    """Gateways and tasks where the load program itself had no time left: the gateway could do more."""


_NO_TIME_LEFT = 0.95


def measure(
    wanted: Sequence[Peer],
    running: Mapping[str, Target],
    tasks: Sequence[Task],
    *,
    rounds: int,
    cpus: Cpus,
    folder: Path,
    port: int,
    say: Callable[[str], None],
) -> Measured:
    """Start every peer that can be had, ask all in turn, and end them. `running` are gateways that run already.

    `port` is the upstream's, 0 for any.

    Raises load.LoadError.
    """
    program = load.build(say)
    found = Measured()
    with ExitStack() as stack:
        ours = stack.enter_context(load.running(program, cpus.load, port))
        targets = [Target(name=peers.DIRECT, address=f"127.0.0.1:{ours.port}")]
        for peer in wanted:
            try:
                found.versions[peer.name] = peer.version()
                say(f"Starting {peer.name} {found.versions[peer.name]}")
                started = starting.running(peer, folder, ours.url, cpus.peers, os.environ)
                targets.append(stack.enter_context(started))
            except (installing.UnavailableError, PeerFailedError) as error:
                found.versions.pop(peer.name, None)
                found.skipped[peer.name] = str(error)
                say(f"Skipped {peer.name}: {error}")
        targets.extend(running.values())
        found.rounds = {target.name: [] for target in targets[1:]}
        for number in range(rounds):
            say(f"Round {number + 1} of {rounds}")
            _round(ours, targets, tasks, number, found)
    return found


def _round(ours: Load, targets: Sequence[Target], tasks: Sequence[Task], number: int, found: Measured) -> None:
    results: dict[str, dict[str, Result]] = {target.name: {} for target in targets}
    if number == 0:
        for target in targets:
            results[target.name][measures.AT_REST] = _at_rest(target)
    for task in tasks:
        if task.first_round_only and number > 0:
            continue
        for target in _in_turn(targets, task, number):
            if (task.translated and not target.translates) or task.name in target.leaves_out:
                continue
            result = ours.run(task.scenario, target.address, target.pids)
            results[target.name][task.name] = result
            if result.errors:
                found.errors.setdefault((target.name, task.name), result.error)
            if target.name != peers.DIRECT and result.own_seconds > _NO_TIME_LEFT * result.seconds:
                found.saturated.add((target.name, task.name))
    found.direct.append(results.pop(peers.DIRECT))
    for name, one in results.items():
        found.rounds[name].append(one)


def _in_turn(targets: Sequence[Target], task: Task, number: int) -> list[Target]:
    """All of them in an order of each task's and round's own, the same in every run.

    Who comes after whom matters: asking the upstream directly leaves the gateways' CPU asleep, for one.
    """
    return random.Random(f"{task.name} {number}").sample(targets, len(targets))


_NOTHING = Summary(count=0, mean=0.0, p50=0.0, p90=0.0, p99=0.0, max=0.0)


def _at_rest(target: Target) -> Result:
    """Memory before anything but one request was asked."""
    page = os.sysconf("SC_PAGE_SIZE")
    resident = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in target.pids) * page
    return Result(
        requests=0, tokens=0, errors=0, seconds=0.0, cpu_seconds=0.0, own_seconds=0.0, rss_bytes=resident, active=0,
        latency=_NOTHING, first=_NOTHING, transit=_NOTHING, jitter=_NOTHING,
    )  # fmt: skip
