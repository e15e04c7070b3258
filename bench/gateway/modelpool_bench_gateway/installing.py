"""Puts peers where they lie: each Python program in an environment of its own in the user's cache, from hashes.

A peer that cannot be had is no failure of the benchmark: it is named with the reason and left out.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Final

LOCKS: Final = Path(__file__).parents[1] / "peers"
_REQUIREMENTS: Final = "bench/requirements.sh"


class UnavailableError(Exception):
    """A peer cannot be had here; the message says why."""


def our_version() -> str:
    """The gateway under test is the one of this environment, installed or not."""
    try:
        return metadata.version("modelpool")
    except metadata.PackageNotFoundError:
        return "of this folder"


def nginx_program() -> str:
    """From Debian's package; it need not be on a user's PATH. Raises UnavailableError."""
    found = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    if found is None:
        raise UnavailableError(f"nginx is not installed; {_REQUIREMENTS} does it")
    return found


def nginx_version() -> str:
    """Such as 1.22.1. Raises UnavailableError."""
    asked = subprocess.run([nginx_program(), "-v"], capture_output=True, text=True, check=True)
    return asked.stderr.rpartition("/")[2].split()[0]


def pinned(name: str) -> str:
    """The version that a lock is for."""
    return (LOCKS / f"{name}.in").read_text().strip().rpartition("==")[2]


def venv(name: str) -> Path:
    """Where a Python peer lies; a changed lock or interpreter is another place."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256((LOCKS / f"{name}.lock").read_bytes() + sys.version.encode()).hexdigest()[:12]
    return caches / "modelpool" / "bench" / f"{name}-{digest}"


def python_peer(name: str, say: Callable[[str], None] = lambda _: None) -> str:
    """Install a peer from its lock unless it is there; its version. Raises UnavailableError."""
    folder = venv(name)
    complete = folder / ".complete"
    if not complete.exists():
        say(f"Installing {name} {pinned(name)}")
        shutil.rmtree(folder, ignore_errors=True)
        import uv  # only where something is installed

        program = uv.find_uv_bin()
        _run([program, "venv", "--quiet", "--python", sys.executable, str(folder)])
        lock = LOCKS / f"{name}.lock"
        python = str(folder / "bin" / "python")
        _run([program, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", str(lock)])
        complete.touch()
    return pinned(name)


def _run(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UnavailableError(" | ".join(done.stderr.strip().splitlines()[-3:]))
