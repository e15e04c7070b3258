"""Routes from one file, for a machine without a cluster: read again whenever the file is replaced or changed.

A file that is missing or wrong leaves the last good routes in force and is logged once per content. Backends must have
`url`; whether anything answers there is for the prober to find out.
"""

import asyncio
import logging
from collections.abc import Container
from pathlib import Path
from stat import S_ISREG
from typing import Final

from ...routing import documents, table
from ..directory import Directory

POLL_INTERVAL: Final = 0.1
"""Seconds between looks at the file: polling works on every file system and costs one stat."""

_log = logging.getLogger(__name__)


class FileSource:
    """Implements `sources.Source` on a routes document, or a JSON list of them."""

    def __init__(self, path: Path, directory: Directory, engines: Container[str]) -> None:
        """`engines`: the kinds that documents may name."""
        self._path = path
        self._engines = engines
        self._directory = directory

    async def run(self) -> None:
        """Poll until cancelled."""
        seen: tuple[int, ...] | None = None
        complained: str | None = None
        while True:
            try:
                stat = self._path.stat()
                mark = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
                if mark != seen:
                    if not S_ISREG(stat.st_mode):  # to read a pipe would stop the event loop until somebody writes
                        raise documents.InvalidRoutesError("the routes file is no regular file")
                    data = self._path.read_bytes()
                    seen = mark  # what is wrong now is wrong until it changes
                    self._load(data)
                    complained = None
            except (OSError, documents.InvalidRoutesError) as error:
                if str(error) != complained:
                    _log.error("Could not read the routes file", extra={"file": str(self._path), "error": str(error)})
                    complained = str(error)
            except Exception as error:
                # A bug, met by what the file says; the last good routes go on.
                if str(error) != complained:
                    _log.exception("Could not take over the routes file", extra={"file": str(self._path)})
                    complained = str(error)
            await asyncio.sleep(POLL_INTERVAL)

    def _load(self, data: bytes) -> None:
        routes = documents.parse_all(data, self._engines)
        backends = [(one.pool, item) for one in routes for model in one.models for item in model.backends]
        if named := [item.service for _, item in backends if item.url is None]:
            raise documents.InvalidRoutesError(f"backends of a routes file must have `url`, got service {named[0]!r}")
        services = {table.service_of(pool, item) for pool, item in backends}
        addresses = {service: (table.Address(url=service.name, ready=True),) for service in services}
        self._directory.load(routes, addresses, trusted=False)
        _log.info("Loaded routes", extra={"file": str(self._path), "models": len(self._directory.table.models)})
