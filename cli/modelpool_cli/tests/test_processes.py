"""The supervisor, with real processes: what it starts, starts again, and ends."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modelpool_cli.local.processes import Ended, Program, Restart, Started, Supervisor


class Journal:
    """Everything a supervisor told, and a way to wait for it."""

    def __init__(self) -> None:
        self.events: list[Started | Ended] = []
        self._changed = asyncio.Event()

    def __call__(self, event: Started | Ended) -> None:
        self.events.append(event)
        self._changed.set()

    async def until(self, done: Callable[[list[Started | Ended]], bool]) -> None:
        try:
            async with asyncio.timeout(30):
                while not done(self.events):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pytest.fail(f"waited in vain, saw {self.events}")


def python(name: str, code: str, tmp_path: Path, restart: Restart = Restart.ALWAYS) -> Program:
    return Program(name=name, argv=(sys.executable, "-c", code), log=tmp_path / f"{name}.log", restart=restart)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


FOREVER = "import signal; signal.pause()"


async def test_a_killed_program_is_started_again(tmp_path: Path) -> None:
    journal = Journal()
    async with Supervisor(journal, os.environ) as supervisor:
        supervisor.start(python("engine", FOREVER, tmp_path))
        await journal.until(lambda seen: len(seen) == 1)
        killed = supervisor.kill("engine")
        await journal.until(lambda seen: len(seen) == 3)
        again = supervisor.pid("engine")
    first, ended, second = journal.events[:3]
    assert first == Started("engine", killed)
    assert ended == Ended("engine", -9, 0.5)
    assert again is not None
    assert second == Started("engine", again)
    assert not alive(again)


async def test_closing_ends_a_program_and_what_it_started(tmp_path: Path) -> None:
    journal = Journal()
    code = (
        "import subprocess, sys, signal\n"
        f"child = subprocess.Popen([sys.executable, '-c', {FOREVER!r}])\n"
        "print(child.pid, flush=True)\n"
        "signal.pause()"
    )
    program = python("parent", code, tmp_path)
    async with Supervisor(journal, os.environ) as supervisor:
        supervisor.start(program)
        async with asyncio.timeout(30):
            while not (program.log.exists() and program.log.read_text().endswith("\n")):
                await asyncio.sleep(0.01)
        parent, child = supervisor.pid("parent"), int(program.log.read_text())
        assert parent is not None
        assert alive(child)
    assert not alive(parent)
    async with asyncio.timeout(30):
        while alive(child) and Path(f"/proc/{child}/stat").read_text().split()[2] != "Z":
            await asyncio.sleep(0.01)


async def test_a_program_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    journal = Journal()
    code = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\n"
        "while True: signal.pause()"
    )
    program = Program(name="deaf", argv=(sys.executable, "-c", code), log=tmp_path / "deaf.log", grace_seconds=0.1)
    async with Supervisor(journal, os.environ) as supervisor:
        supervisor.start(program)
        async with asyncio.timeout(30):
            while not (program.log.exists() and program.log.read_text()):
                await asyncio.sleep(0.01)
        pid = supervisor.pid("deaf")
        assert pid is not None
    assert not alive(pid)


async def test_a_job_that_succeeds_is_not_run_again_and_one_that_fails_is(tmp_path: Path) -> None:
    journal = Journal()
    marker = tmp_path / "marker"
    code = f"import pathlib, sys; p = pathlib.Path({str(marker)!r}); sys.exit(0 if p.exists() else p.touch() or 3)"
    async with Supervisor(journal, os.environ) as supervisor:
        supervisor.start(python("pull", code, tmp_path, Restart.ON_FAILURE))
        await journal.until(lambda seen: len(seen) == 4)
        assert supervisor.pid("pull") is None
        with pytest.raises(ProcessLookupError, match="pull is not running"):
            supervisor.kill("pull")
    assert [event.status for event in journal.events if isinstance(event, Ended)] == [3, 0]
    assert journal.events[-1] == Ended("pull", 0, None)


async def test_programs_see_the_environment_they_are_given_and_their_own(tmp_path: Path) -> None:
    journal = Journal()
    code = "import os; print(os.environ.get('BASE'), os.environ.get('OWN'), os.environ.get('HOME'))"
    program = Program(
        name="env",
        argv=(sys.executable, "-c", code),
        log=tmp_path / "env.log",
        env={"OWN": "2"},
        restart=Restart.ON_FAILURE,
    )
    async with Supervisor(journal, {"BASE": "1"}) as supervisor:
        supervisor.start(program)
        await journal.until(lambda seen: len(seen) == 2)
    assert program.log.read_text() == "1 2 None\n"
