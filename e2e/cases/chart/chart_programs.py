"""The programs as processes of this machine, with a token of the ServiceAccount that the chart made for them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from modelpool_cluster import waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A running program."""

    process: subprocess.Popen[bytes]
    log: Path

    def lines(self) -> list[dict[str, object]]:
        """Return its log so far, the lines in JSON."""
        found = []
        for line in self.log.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return found

    def _alive(self) -> None:
        if self.process.poll() is not None:
            raise RuntimeError(f"it ended with {self.process.returncode}: {self.log.read_text()[-3000:]}")

    def health_address(self) -> str:
        """Return where the operator answers probes."""

        def look() -> str:
            self._alive()
            return next((f"127.0.0.1:{line['port']}" for line in self.lines() if line.get("what") == "health"), "")

        return waiting.wait_for("the operator's health server", look)

    def listening(self) -> str:
        """Return the gateway's first address."""

        def look() -> str:
            self._alive()
            found = [line["listening"] for line in self.lines() if isinstance(line.get("listening"), list)]
            return str(found[0][0]) if found and isinstance(found[0], list) else ""

        return waiting.wait_for("the gateway's ports", look)

    def wait_until_ready(self, address: str) -> None:
        """Wait for 200 from /readyz."""

        def look() -> bool:
            self._alive()
            try:
                with urllib.request.urlopen(f"http://{address}/readyz", timeout=5):
                    return True
            except urllib.error.HTTPError as exc:
                with exc:
                    raise AssertionError(f"{exc.code} {exc.read(500)!r}") from exc
            except OSError as exc:
                raise AssertionError(repr(exc)) from exc

        waiting.wait_for("readiness", look)


@contextlib.contextmanager
def started(module: str, *arguments: str, log: Path) -> Iterator[Program]:
    """Run a program as `python -m` with an environment of its own; ends it with SIGTERM."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**environment, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            yield Program(process=process, log=log)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
