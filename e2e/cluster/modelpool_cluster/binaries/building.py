"""Builds a pinned tool with Go, and says how it goes: the first build of the API server takes many minutes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from ..settings import Settings
from . import pins

_SAY_EVERY = 20.0
"""Seconds between two lines of progress."""


class BuildError(Exception):
    """Go could not build a program; the message carries its last lines."""


def build(
    *,
    go: Path,
    module: Path,
    package: str,
    linker_flags: str,
    target: Path,
    settings: Settings,
    log: Callable[[str], None],
) -> None:
    """Build the main package into `target` with the module's pins, as the nicest process of the machine.

    Raises BuildError.
    """
    name = target.name
    command: list[str | Path] = [go, "build", "-v", *pins.BUILD_FLAGS, "-ldflags", linker_flags, "-o", target, package]
    environment = {
        **{key: value for key, value in settings.environment.items() if key not in ("GOROOT", "GOOS", "GOARCH")},
        "CGO_ENABLED": "0",
        "GOFLAGS": "",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    packages = target.with_name(f"{name}.build.log")
    began = time.monotonic()
    with packages.open("wb") as output:
        process = subprocess.Popen(
            ["nice", "-n", "10", *command],
            cwd=module,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            while process.poll() is None:
                try:
                    process.wait(_SAY_EVERY)
                except subprocess.TimeoutExpired:
                    count = packages.read_bytes().count(b"\n")
                    log(f"Building {name}: {time.monotonic() - began:.0f} s, {count} packages compiled")
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode != 0:
        last = packages.read_text(errors="replace").strip().splitlines()[-20:]
        raise BuildError("\n".join([f"go build {package} ended with {process.returncode}:", *last]))
