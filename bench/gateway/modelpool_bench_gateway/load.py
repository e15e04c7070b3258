"""The program at both ends of a measurement: built once from `bench/gateway/load`, then asked scenario by scenario.

It is written in Go so that it costs less than what it measures; the compiler is found or installed as for the test
cluster. One thread of it plays the upstream and its callers, so both ends share one clock.
"""

import contextlib
import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import msgspec

from modelpool_cluster.binaries import building, cache, pins, toolchain
from modelpool_cluster.settings import Settings

from .asking import MODEL, Result, Scenario

SOURCE: Final = Path(__file__).parents[1] / "load"
_NAME: Final = "load"


class LoadError(RuntimeError):
    """The program could not be built or did not answer as it should."""


def place() -> Path:
    """Where the program lies once it is built; a changed source is another place."""
    sources = {path.name: path.read_bytes() for path in SOURCE.iterdir() if path.suffix in (".go", ".mod")}
    key = pins.module_key(sources, (), system=platform.system(), machine=platform.machine())
    return Settings.from_environment(os.environ).cache / "bench" / f"{_NAME}-{key}" / _NAME


def build(log: Callable[[str], None]) -> Path:
    """The program, built when it is not there or its source changed. Raises LoadError."""
    settings = Settings.from_environment(os.environ)
    store = cache.Cache(place().parent)
    if (found := store.find(_NAME)) is not None:
        return found
    with store.locked(log), store.staging() as staged:
        if (found := store.find(_NAME)) is not None:
            return found
        try:
            go = toolchain.find_go(settings, log)
            building.build(
                go=go,
                module=SOURCE,
                package=".",
                linker_flags="-s -w",
                target=staged / _NAME,
                settings=settings,
                log=log,
            )
        except (toolchain.ToolchainUnavailableError, building.BuildError) as error:
            raise LoadError(f"the load program could not be built: {error}") from error
        return store.adopt(staged / _NAME, _NAME, cache.Provenance(version="", origin="built", seconds=0.0))


class Load:
    """The running program."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.port: int = self._answer()["port"]

    @property
    def url(self) -> str:
        """Where its upstream answers."""
        return f"http://127.0.0.1:{self.port}"

    def run(self, scenario: Scenario, target: str, pids: Sequence[int] = ()) -> Result:
        """Ask `target` (host:port), and read the time and memory of the processes. Raises LoadError."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({**asdict(scenario), "target": target, "pids": list(pids)}) + "\n")
        self._process.stdin.flush()
        return msgspec.convert(self._answer(), Result)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise LoadError(f"the load program ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.contextmanager
def running(program: Path, cpu: int | None, port: int = 0) -> Iterator[Load]:
    """Run the program on one CPU, or on any, its upstream on a port, or on any."""
    process = subprocess.Popen(
        [*on_cpu(cpu), program, "-model", MODEL, "-listen", f"127.0.0.1:{port}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Load(process)
        finally:
            process.kill()


def on_cpu(cpu: int | None) -> tuple[str, ...]:
    """The words before a command that keep it on one CPU."""
    return () if cpu is None else ("taskset", "--cpu-list", str(cpu))
