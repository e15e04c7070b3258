"""Our end of the pipe to `supervise`: start a process, ask who has ended, hang up. Knows no component."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import supervise

_ANSWER_SECONDS = 30.0
_END_SECONDS = 30.0


class SupervisorLostError(Exception):
    """The supervisor does not answer: it was killed, and its children with it."""


class Supervisor:
    """The parent of processes that must not outlive us, nor their folder."""

    def __init__(self, folder: Path) -> None:
        """Start the supervisor. From now on the folder belongs to it and is removed with the processes."""
        self.folder = folder
        self.pids: dict[str, int] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", supervise.__file__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )

    @property
    def pid(self) -> int:
        """The supervisor's own process."""
        return self._process.pid

    def start(self, name: str, argv: Sequence[str | Path], log: Path) -> int:
        """Start a process in the folder, its output appended to `log`; returns its id.

        Raises OSError, SupervisorLostError.
        """
        answer = self._ask({"start": name, "argv": [str(argument) for argument in argv], "log": str(log)})
        if "error" in answer:
            raise OSError(f"{name} did not start: {answer['error']}")
        self.pids[name] = int(answer["pid"])
        return self.pids[name]

    def will_remove_cgroup(self, name: str) -> None:
        """Let a control group be removed at the end, from every hierarchy that has it. Raises SupervisorLostError."""
        self._ask({"cgroup": name})

    def will_clear_network_of(self, pid: int) -> None:
        """Let nobody but us be left, at the end, in the network namespace of a process. Raises SupervisorLostError."""
        self._ask({"network": pid})

    def exits(self) -> dict[str, int]:
        """Return the exit codes of those that have ended. Raises SupervisorLostError."""
        return dict(self._ask({"exits": True})["exits"])

    def close(self) -> None:
        """End all processes and remove the folder. Returns when that is done; may be called twice."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()  # the kernel then kills its children
            self._process.wait()
            raise SupervisorLostError(
                f"the supervisor did not end within {_END_SECONDS:.0f} s; {self.folder} may be left"
            ) from None
        finally:
            if self._process.stdout is not None:
                self._process.stdout.close()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        pipe, answers = self._process.stdin, self._process.stdout
        if pipe is None or answers is None or pipe.closed:
            raise SupervisorLostError("the supervisor has been closed")
        try:
            pipe.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError as exc:
            raise SupervisorLostError(f"the supervisor ended with {self._process.wait()}") from exc
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([answers], [], [], _ANSWER_SECONDS)[0]:
                raise SupervisorLostError(f"the supervisor did not answer within {_ANSWER_SECONDS:.0f} s")
            piece = answers.read(1 << 16)
            if not piece:
                raise SupervisorLostError(f"the supervisor ended with {self._process.wait()}")
            line += piece
        return dict(json.loads(line))
