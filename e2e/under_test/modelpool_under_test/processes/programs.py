"""A program of this checkout as a process of its own, with its log as records. Knows no cluster and no program."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_STOP_SECONDS: Final = 30

Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A running program."""

    process: subprocess.Popen[bytes]
    log: Path

    def lines(self) -> list[Object]:
        """Return its log so far, as records."""
        found = []
        for line in self.log.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return found

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait()

    def assert_alive(self) -> None:
        """Fail with the end of its log when it has ended."""
        assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}"

    def stop(self) -> None:
        """End it with SIGTERM, and fail when it does not end well."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        assert status == 0, f"ended with {status}:\n{self.log.read_text()[-4000:]}"


@contextlib.contextmanager
def started(module: str, *arguments: str, log: Path) -> Iterator[Program]:
    """Run a program as `python -m`, warnings being errors; end it when done, whatever happened."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", module, *arguments],
            env={**environment, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    program = Program(process=process, log=log)
    try:
        yield program
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
