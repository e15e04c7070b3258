"""A folder of programs that several processes may fill at once: one lock, staged writes, atomic renames.

Knows no program.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

STAGING = ".staging-"
"""Begins the names of temporary folders in a cache."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How a program came into the cache; kept beside it as JSON."""

    version: str
    origin: str
    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Cache:
    """One folder, named after a hash of its inputs: what is in it is never out of date, only absent."""

    folder: Path

    def find(self, name: str) -> Path | None:
        """Return the program of that name, or None."""
        path = self.folder / name
        return path if os.access(path, os.X_OK) and path.is_file() else None

    def provenance(self, name: str) -> Provenance | None:
        """Return how a cached program was got, or None where nobody wrote it down."""
        try:
            return Provenance(**json.loads((self.folder / f"{name}.json").read_text()))
        except (FileNotFoundError, json.JSONDecodeError, TypeError):
            return None

    def sweep(self) -> list[Path]:
        """Remove what killed fillers left, unless somebody fills it now; returns the folders."""
        with (self.folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return []
            return self._sweep()

    def _sweep(self) -> list[Path]:
        stale = list(self.folder.glob(f"{STAGING}*"))
        for folder in stale:
            shutil.rmtree(folder)
        return stale

    @contextlib.contextmanager
    def locked(self, log: Callable[[str], None]) -> Iterator[None]:
        """Hold the cache for one filler. The kernel frees the lock when its holder dies, so no lock is ever stale."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log(f"Waiting for another process that fills {self.folder}")
                fcntl.flock(lock, fcntl.LOCK_EX)
            self._sweep()  # we hold the lock, so nobody uses it
            yield

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """Lend a temporary folder on the cache's own file system; whatever is left in it goes."""
        self.folder.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=STAGING, dir=self.folder))
        try:
            yield staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def adopt(self, staged: Path, name: str, provenance: Provenance) -> Path:
        """Move a finished program from a staging folder to its place, atomically and executable."""
        staged.chmod(0o755)
        note = staged.with_name(f"{staged.name}.json")
        note.write_text(json.dumps(dataclasses.asdict(provenance)))
        note.rename(self.folder / f"{name}.json")
        return staged.rename(self.folder / name)
