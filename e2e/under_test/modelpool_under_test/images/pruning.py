"""What is thrown away of the images' cache, so that it does not grow for ever. Called by `building`, under its lock."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Final

KEPT: Final = 2
"""Builds that stay beside a new one: a run that takes long may still want the archives that it began with."""
LAYERS: Final = 250
"""Of the builder's storage, some 40 MB each on average."""


def drop_old_builds(folder: Path) -> None:
    """Remove all builds but the newest."""
    builds = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in builds[KEPT:]:
        shutil.rmtree(old)


def empty_when_large(storage: Path) -> None:
    """Remove buildah's storage when it has too many layers; the next build then takes a minute longer."""
    index = storage / "overlay-layers" / "layers.json"
    if index.exists() and len(json.loads(index.read_text())) > LAYERS:
        shutil.rmtree(storage)
