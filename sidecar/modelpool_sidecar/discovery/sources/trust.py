"""Whom we believe to be the API server, and what we show it: a TLS context that follows the files it is made of.

A cluster renews its authority while pods run: the kubelet puts the new bundle in the old one's place. Connections that
are open go on; the next one is made with what the files say then.
"""

import logging
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

_log = logging.getLogger(__name__)

Mark = tuple[tuple[int, int, int] | None, ...]


class Trust:
    """A context, and the files that it is made of."""

    def __init__(self, make: Callable[[], ssl.SSLContext], files: Sequence[Path] = ()) -> None:
        """Make the context for the first time.

        Args:
            make: reads the files.
            files: which `make` reads; none for a context that never changes.

        Raises:
            OSError: a file cannot be read.
            ValueError: a file says nothing that can be used.
        """
        self._make = make
        self._files = tuple(files)
        self._mark = self._look()
        self._context = make()

    def context(self) -> ssl.SSLContext:
        """Return the context; a new one when a file was changed or replaced. Files that are wrong change nothing."""
        mark = self._look()
        if mark != self._mark:
            self._mark = mark
            named = ", ".join(map(str, self._files))
            try:
                self._context = self._make()
                _log.info("Read the credentials for the API server again", extra={"files": named})
            except (OSError, ValueError) as error:
                _log.warning(
                    "Could not read the credentials for the API server again",
                    extra={"files": named, "error": str(error)},
                )
        return self._context

    def _look(self) -> Mark:
        """Return what changes with the files' content: one stat for each."""
        return tuple(_mark(file) for file in self._files)


def _mark(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
