"""One simulated card with all its engines: started at once, killed at any moment, and put back as a kubelet would.

Each engine runs below the operator's start script, or, for the control, without it and so without a lock. Knows
processes and files; decides nothing about rounds.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from modelpool_operator.planning.scripts import start_engine

ENGINE: Final = Path(__file__).with_name("recorded_engine.py")
MODELS: Final = ("qwen3:8b", "cogito:8b", "gemma3:4b", "qwen3:4b")
FRACTION: Final = "0.2"
SIMULATION: Final = {
    "FAKE_VLLM_WEIGHTS": "1Gi",
    "FAKE_VLLM_LOAD_SECONDS": "0.2",
    "FAKE_VLLM_PROFILE_SECONDS": "0.2",
    "FAKE_VLLM_CONTEXT_LENGTH": "4096",
    "MODELPOOL_SIMULATED_CARD_MEMORY": "24Gi",
    "CUDA_VISIBLE_DEVICES": "0",
}
_PROBE_SECONDS: Final = 2.0


@dataclass(slots=True)
class Running:
    """One engine that was started."""

    model: str
    port: int
    process: subprocess.Popen[bytes]
    killed: int | None = None
    """When we killed it, in nanoseconds of the monotonic clock."""

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def answers(self) -> bool:
        """Whether its health check says yes."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with (
            contextlib.suppress(OSError),
            opener.open(f"http://127.0.0.1:{self.port}/health", timeout=_PROBE_SECONDS) as answer,
        ):
            return bool(answer.status == 200)
        return False


@dataclass(slots=True, kw_only=True)
class Card:
    """A card, its lock, and its engines."""

    folder: Path
    with_lock: bool
    engines: dict[str, Running] = field(default_factory=dict)
    deaths: dict[int, int] = field(default_factory=dict)
    """When processes were killed, by their id."""

    @property
    def lock(self) -> Path:
        """The lock file."""
        return self.folder / "node-card-0.lock"

    @property
    def record(self) -> Path:
        """What the engines write when they measure."""
        return self.folder / "measured.jsonl"

    def log(self, model: str) -> Path:
        """Return an engine's log, of all its lives."""
        return self.folder / f"{model.replace(':', '-')}.log"

    def start(self, model: str) -> Running:
        """Start an engine and do not wait for it."""
        port = _free_port()
        engine = [sys.executable, str(ENGINE), str(self.record), "serve", model, "--served-model-name", model]
        engine += ["--host", "127.0.0.1", "--port", str(port), "--gpu-memory-utilization", FRACTION]
        keeper = [sys.executable, str(Path(start_engine.__file__)), "--lock", str(self.lock), "--poll", "0.05"]
        keeper += ["--name", model, "--health", f"http://127.0.0.1:{port}/health", "--"]
        environment = {**os.environ, **SIMULATION, "MODELPOOL_SIMULATED_CARDS": str(self.folder / "cards")}
        with self.log(model).open("ab") as log:
            process = subprocess.Popen(
                [*keeper, *engine] if self.with_lock else engine, env=environment, stdout=log, stderr=log
            )
        self.engines[model] = Running(model=model, port=port, process=process)
        return self.engines[model]

    def holder(self) -> Running | None:
        """Return the engine that has the lock now, or None."""
        with contextlib.suppress(FileNotFoundError):
            return self.engines.get(self.lock.read_text())
        return None

    def kill(self, victim: Running, *, engine_only: bool) -> None:
        """Kill with SIGKILL: the engine alone, or its keeper and all that runs below it.

        The second is what the kernel does to a container whose first process dies.
        """
        children = _children(victim.process.pid) if self.with_lock else []
        doomed = children if engine_only and children else [victim.process.pid, *children]
        victim.killed = time.monotonic_ns()
        for pid in doomed:
            self.deaths[pid] = time.monotonic_ns()
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def cut_power(self) -> None:
        """Kill everything at once, and wait until it is gone."""
        for running in self.engines.values():
            if running.is_alive():
                self.kill(running, engine_only=False)
        for running in self.engines.values():
            running.process.wait()
        self.engines.clear()

    def overlaps(self) -> int:
        """Return how many pairs of engines have measured the card at the same time."""
        spans = sorted(self._spans())
        return sum(later[0] < earlier[1] for place, earlier in enumerate(spans) for later in spans[place + 1 :])

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Yield begin and end of each measurement; one that was cut short ends with its process."""
        open_spans: dict[int, int] = {}
        if not self.record.exists():
            return
        for line in self.record.read_text().splitlines():
            entry = json.loads(line)
            if entry["event"] == "begin":
                open_spans[entry["pid"]] = entry["at"]
            else:
                yield open_spans.pop(entry["pid"]), entry["at"]
        for pid, begin in open_spans.items():
            yield begin, max(begin, self.deaths.get(pid, time.monotonic_ns()))


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
