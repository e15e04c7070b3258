"""The release key, out of its file: read at the start, and again when it changes, as the kubelet renews such files.

A file that has become unreadable, or no key, leaves the last one in force and is logged once.
"""

import asyncio
import logging
from pathlib import Path
from typing import Final

from ...routing.keys import Keys
from ..directory import Directory

POLL_INTERVAL: Final = 5.0
"""Seconds between looks: the kubelet takes a minute to bring a Secret's change."""
_SHORTEST: Final = 16

_log = logging.getLogger(__name__)


def read(path: Path) -> bytes:
    """The key, without white space around it. Raises OSError when it cannot be read, or is none."""
    found = path.read_bytes().strip()
    if len(found) < _SHORTEST:
        raise OSError(f"the release key in {path} must have at least {_SHORTEST} characters, got {len(found)}")
    return found


async def follow(path: Path, known: bytes, directory: Directory, engines: frozenset[str]) -> None:
    """Hand every new key to the directory, until cancelled. `engines`: see `Keys`."""
    complained = ""
    while True:
        await asyncio.sleep(POLL_INTERVAL)
        try:
            found = read(path)
            complained = ""
        except OSError as error:
            if str(error) != complained:
                complained = str(error)
                _log.error("Could not read the release key again", extra={"error": complained})
            continue
        if found != known:
            known = found
            directory.rekey(Keys(found, engines))
            _log.info("Read another release key", extra={"file": str(path)})
