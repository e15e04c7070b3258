"""Keep programs running: start them, start them again when they die, end exactly those that were started.

Every program leads a process group of its own, so that Ctrl-C in a terminal reaches this program alone and an engine's
own children end with it. Should this program be killed, the kernel ends them (PR_SET_PDEATHSIG, on Linux).
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

FIRST_DELAY: Final = 0.5
"""Seconds before a program that ended is started again; doubled each time, as the kubelet does."""
LONGEST_DELAY: Final = 30.0
STEADY_AFTER: Final = 20.0
"""A program that ran so many seconds starts over with the first delay."""

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Restart(Enum):
    """When a program that ended is started again, in Kubernetes' words."""

    ALWAYS = "Always"
    ON_FAILURE = "OnFailure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A command to keep running."""

    name: str
    argv: tuple[str, ...]
    log: Path
    """Its standard output and error, appended."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to this program's own environment."""
    restart: Restart = Restart.ALWAYS
    after: tuple[str, int] | None = None
    """Host and port that must accept connections before the program is started the first time."""
    grace_seconds: float = 10.0
    """Between SIGTERM and SIGKILL."""


@dataclass(frozen=True, slots=True)
class Started:
    """A program was started."""

    name: str
    pid: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A program ended, with its exit status (negative: the signal that ended it)."""

    name: str
    status: int
    again_in: float | None
    """Seconds until it is started again, or None when it is not."""


Listener = Callable[[Started | Ended], None]


class Supervisor:
    """Runs programs until it is closed; use as an asynchronous context manager."""

    def __init__(self, listener: Listener, environment: Mapping[str, str]) -> None:
        self._listener = listener
        self._environment = dict(environment)
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks.values():
            task.cancel()
        # The body's own failure travels as it is; the group only needs to know of a cancellation, which may be its own.
        cancelled = isinstance(exc, asyncio.CancelledError)
        await self._group.__aexit__(*((kind, exc, traceback) if cancelled else (None, None, None)))

    def start(self, program: Program) -> None:
        """Keep `program` running from now on."""
        self._tasks[program.name] = self._group.create_task(self._keep(program), name=f"keep {program.name}")

    def pid(self, name: str) -> int | None:
        """Return the process id of a running program."""
        process = self._running.get(name)
        return process.pid if process else None

    def kill(self, name: str) -> int:
        """End a running program at once, as a crash would; it is started again as after any end.

        Returns:
            The process id that was killed.

        Raises:
            ProcessLookupError: it is not running.
        """
        process = self._running.get(name)
        if process is None:
            raise ProcessLookupError(f"{name} is not running")
        os.killpg(process.pid, signal.SIGKILL)
        return process.pid

    def drop(self, name: str) -> None:
        """Keep a program running no longer, until it is started anew; end it if it still runs."""
        self._tasks.pop(name).cancel()

    async def _keep(self, program: Program) -> None:
        clock = asyncio.get_running_loop().time
        delay = FIRST_DELAY
        if program.after is not None:
            await _accepting(*program.after)
        while True:
            began = clock()
            status = await self._run(program)
            if program.restart is Restart.ON_FAILURE and status == 0:
                self._listener(Ended(program.name, status, None))
                return
            if clock() - began >= STEADY_AFTER:
                delay = FIRST_DELAY
            self._listener(Ended(program.name, status, delay))
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)

    async def _run(self, program: Program) -> int:
        """Run `program` once and return its exit status; cancelled, end it first."""
        with program.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *program.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                env={**self._environment, **program.env},
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self._running[program.name] = process
        self._listener(Started(program.name, process.pid))
        try:
            return await process.wait()
        finally:
            del self._running[program.name]
            if process.returncode is None:
                await _end(process, program.grace_seconds)


async def _accepting(host: str, port: int) -> None:
    """Wait until somebody listens."""
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            await writer.wait_closed()
            return


async def _end(process: asyncio.subprocess.Process, grace_seconds: float) -> None:
    process.terminate()
    try:
        async with asyncio.timeout(grace_seconds):
            await process.wait()
    except TimeoutError:
        pass
    finally:
        # Whatever the program itself started and left behind is in its group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
