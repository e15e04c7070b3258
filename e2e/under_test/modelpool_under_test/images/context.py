"""What the images are made of: the files that a builder is shown, and a key that changes when any of them does."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[4]
"""The repository."""
PROGRAMS = ("operator", "sidecar", "engines")
TARGETS = (*PROGRAMS, "clients")
"""Of the Dockerfile; each is an image `modelpool/<target>`."""
_PARTS = ("Dockerfile", "LICENSE", "README.md", "pyproject.toml", "requirements", "operator", "sidecar", "cli")
_MORE_PARTS = ("simulators", "tools/compiling.py")
_LEFT_OUT = {"__pycache__", "tests"}


def files() -> Iterator[Path]:
    """Yield the files, relative to the repository, in order."""
    for part in sorted((*_PARTS, *_MORE_PARTS)):
        top = ROOT / part
        found = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.is_file())
        yield from (name for path in found if not _LEFT_OUT & set((name := path.relative_to(ROOT)).parts))


def copy(target: Path) -> str:
    """Copy the files into a folder and return the key of what was copied: nobody may edit them under the builder."""
    digest = hashlib.sha256()
    for name in files():
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, place)
        digest.update(f"{name}\0{hashlib.sha256(place.read_bytes()).hexdigest()}\0".encode())
    return digest.hexdigest()[:12]
