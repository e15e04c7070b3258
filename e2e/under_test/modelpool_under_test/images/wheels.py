"""The wheels that the images' locks name, fetched by the ordinary pip of this machine for the base image's Python."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from modelpool_cluster.binaries.cache import Cache
from modelpool_cluster.settings import Settings

from . import base, context

LOCKS = ("build", "compile", *context.TARGETS)
_GLIBC = (5, 12, 17, 24, 26, 27, 28, 31, 34, 35, 36)
"""Minor versions of glibc 2 that wheels are built for and the base image has."""


class WheelsUnavailableError(Exception):
    """pip could not fetch what a lock names; the message carries its last lines."""


def folder(store: Path, settings: Settings, log: Callable[[str], None]) -> Path:
    """Return a folder with the wheels of all locks, fetched on first use. Raises WheelsUnavailableError."""
    locks = [context.ROOT / "requirements" / f"{name}.lock" for name in LOCKS]
    inputs = b"\0".join(lock.read_bytes() for lock in locks) + base.PYTHON.encode()
    cache = Cache(store / "wheels" / hashlib.sha256(inputs).hexdigest()[:12])
    target = cache.folder / "wheels"
    with cache.locked(log):
        if not target.is_dir():
            log("Fetching the wheels of the images' locks")
            with cache.staging() as staged:
                for lock in locks:
                    _download(lock, staged / "wheels", settings)
                (staged / "wheels").rename(target)
    return target


def _download(lock: Path, target: Path, settings: Settings) -> None:
    machine = platform.machine()
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in _GLIBC]
    platforms += [f"--platform=manylinux{year}_{machine}" for year in ("1", "2010", "2014")]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet", "--no-deps",
         "--only-binary=:all:", "--require-hashes", f"--python-version={base.PYTHON}", "--implementation=cp",
         *platforms, f"--dest={target}", f"--requirement={lock}"],
        env=dict(settings.environment), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise WheelsUnavailableError(f"pip could not fetch {lock.name}:\n{last}")
