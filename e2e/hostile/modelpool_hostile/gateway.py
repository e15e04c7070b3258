"""The gateway as a process of its own, and what the kernel and its log tell of it."""

import asyncio
import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from modelpool_cluster.controlplane.supervise import die_with

STARTS_WITHIN: Final = 60.0
ENDS_WITHIN: Final = 30.0
_KIB: Final = 1024
_EXCEPTION: Final = re.compile(r"[a-zA-Z_][\w.]*(:|$)")

# Short, so that what is held by them is seen within a case.
HEAD_SECONDS: Final = 3.0
BODY_SECONDS: Final = 4.0
WRITE_SECONDS: Final = 2.0
READ_SECONDS: Final = 3.0
CONNECT_SECONDS: Final = 1.0
SLACK_SECONDS: Final = 6.0
"""How much later than its limit something may be seen, on a machine that does other things, too."""
FLAGS: Final = (
    f"--head-timeout={HEAD_SECONDS}",
    f"--body-timeout={BODY_SECONDS}",
    f"--write-timeout={WRITE_SECONDS}",
    f"--read-timeout={READ_SECONDS}",
    f"--connect-timeout={CONNECT_SECONDS}",
    "--open-admin=blobs",
    "--listen=127.0.0.1:0",
    "--drain-delay=0",
    "--shutdown-timeout=2",
)


class GatewayFailedError(Exception):
    """The gateway did not start; the message ends with its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Which gateway: interpreted from the checkout, or compiled."""

    name: str
    folder: Path
    """What stands first on its module path."""


class Gateway:
    """One running gateway."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path, listening: Path) -> None:
        self.process = process
        self.pid = process.pid
        self.address = ("127.0.0.1", 0)
        self._log = log
        self._listening = listening
        self._read = 0

    @classmethod
    async def start(
        cls,
        build: Build,
        folder: Path,
        *flags: str,
        descriptors: int | None = None,
        stderr: int | None = None,
    ) -> Self:
        """Start it and wait for its port.

        `descriptors`: how many files it may have open. `stderr`: a descriptor in place of the log's file.
        Raises GatewayFailedError.
        """
        number = len(list(folder.glob("gateway-*.log")))
        log, listening = folder / f"gateway-{number}.log", folder / f"gateway-{number}.listening"
        with log.open("wb") as sink, listening.open("wb") as told:
            process = subprocess.Popen(
                [sys.executable, "-m", "modelpool_sidecar", *FLAGS, *flags],
                env=_environ(build),
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=sink if stderr is None else stderr,
                preexec_fn=_prepare(os.getpid(), descriptors),
            )
        gateway = cls(process, log, listening)
        try:
            async with asyncio.timeout(STARTS_WITHIN):
                while not gateway._found():
                    if not gateway.alive:
                        raise GatewayFailedError(f"ended with {process.returncode}: {log.read_text()[-2000:]}")
                    await asyncio.sleep(0.05)
        except TimeoutError as late:
            gateway.kill()
            raise GatewayFailedError(f"no port within {STARTS_WITHIN:.0f} s: {log.read_text()[-2000:]}") from late
        return gateway

    def _found(self) -> bool:
        text = self._listening.read_text()
        if not text.endswith("\n"):
            return False
        host, _, port = str(json.loads(text)["listening"][0]).rpartition(":")
        self.address = (host, int(port))
        return True

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def resident_mib(self) -> float:
        """What it holds of memory now; 0 once it has ended."""
        return self._status("VmRSS:") / _KIB

    def peak_mib(self) -> float:
        """The most it has held."""
        return self._status("VmHWM:") / _KIB

    def descriptors(self) -> int:
        """How many files and sockets it has open."""
        with contextlib.suppress(OSError):
            return len(os.listdir(f"/proc/{self.pid}/fd"))  # noqa: PTH208 -- names of no path
        return 0

    def _status(self, name: str) -> float:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith(name):
                    return float(line.split()[1])
        return 0.0

    def faults(self) -> Iterator[str]:
        """Errors of the gateway's own that it has logged since the last time: each would be a bug."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            text = log.read()
        self._read += len(text)
        plain: list[str] = []
        for line in text.splitlines():
            try:
                told: dict[str, Any] = json.loads(line)
            except ValueError:
                plain.append(line.decode("utf-8", "replace").lstrip(" |+-"))
                continue
            if "exception" in told or told.get("level") == "critical":
                yield f"{told.get('message')}: {_raised(str(told.get('exception', '')))}"
        if any(plain):
            yield f"beside its log: {_raised(chr(10).join(plain))}"

    def kill(self) -> None:
        """End it as a power cut does."""
        if self.alive:
            self.process.kill()
        self.process.wait()

    async def stop(self) -> int:
        """End it with SIGTERM; its exit status, that of SIGKILL when it does not end."""
        if self.alive:
            self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(ENDS_WITHIN):
                while self.alive:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            self.kill()
        return int(self.process.wait())


def _raised(traceback: str) -> str:
    """The last exception of a traceback, without its message's picture."""
    raised = [line for line in traceback.splitlines() if _EXCEPTION.match(line)]
    return raised[-1] if raised else traceback[-200:]


def _environ(build: Build) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return kept | {"PYTHONPATH": str(build.folder), "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}


def _prepare(parent: int, descriptors: int | None) -> Callable[[], None]:
    dies = die_with(parent)

    def prepare() -> None:
        dies()
        if descriptors is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    return prepare
