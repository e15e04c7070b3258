"""Weights that are not on the volume yet: written there part by part, as the hub's client does. Called by `startup`."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from . import memory

log = logging.getLogger(__name__)

_PARTS = 10


async def fetch(home: Path, repository: str, size: int, seconds: float) -> None:
    """Put `size` bytes of weights below HF_HOME, unless they are there, in that time.

    Raises memory.StartupError with the system's words when the volume takes no more; what was written stays, as it
    does in reality.
    """
    blobs = home / "hub" / f"models--{repository.replace('/', '--')}" / "blobs"
    whole, partial = blobs / "weights", blobs / "weights.incomplete"
    if whole.exists():
        return
    try:
        blobs.mkdir(parents=True, exist_ok=True)
        with partial.open("wb", buffering=0) as file:
            for part in range(_PARTS):
                left = size * (part + 1) // _PARTS - file.tell()
                while left > 0:
                    left -= file.write(bytes(left))
                log.info("model.safetensors: %3d%%", (part + 1) * 100 // _PARTS)
                await asyncio.sleep(seconds / _PARTS)
        partial.rename(whole)
    except OSError as error:
        raise memory.StartupError("OSError", f"[Errno {error.errno}] {error.strerror}") from error
