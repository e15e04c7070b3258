"""Memory of simulated GPUs, shared by every process that names the same folder.

A card is a folder `card-<index>`; a holding is a file in it that its owner keeps locked. The kernel releases the lock
when the owner dies, in whatever container it lived, so a holding without a lock counts for nothing and is removed by
whoever sees it. All changes happen under the lock of the card.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import quantities


class OutOfMemoryError(Exception):
    """The card has less free memory than was asked for."""

    def __init__(self, wanted: int, free: int, total: int) -> None:
        super().__init__(f"wanted {wanted} bytes, {free} of {total} are free")
        self.wanted = wanted
        self.free = free
        self.total = total


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One simulated GPU."""

    folder: Path
    index: int
    memory: int
    """Bytes of the whole card."""

    def free(self) -> int:
        """Return the bytes nobody holds, device wide, as `cudaMemGetInfo` does."""
        with self._locked():
            return self.memory - self._held()

    def holders(self) -> dict[str, int]:
        """Return who holds how many bytes, by the label of the holding."""
        with self._locked():
            found: dict[str, int] = {}
            for label, held in self._alive():
                found[label] = found.get(label, 0) + held
            return found

    def hold(self, label: str) -> Holding:
        """Begin to hold memory on this card, 0 bytes at first."""
        self.path.mkdir(parents=True, exist_ok=True)
        with self._locked():
            return Holding(self, label)

    @property
    def path(self) -> Path:
        """Where the card's account is kept."""
        return self.folder / f"card-{self.index}"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _held(self) -> int:
        return sum(held for _, held in self._alive())

    def _alive(self) -> Iterator[tuple[str, int]]:
        for path in sorted(self.path.glob("*.json")):
            with path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    entry = json.loads(file.read())
                    yield entry["label"], entry["bytes"]
                else:
                    path.unlink()


class Holding:
    """Memory that one owner holds on a card until `release` or until its process dies."""

    def __init__(self, card: Card, label: str) -> None:
        self.card = card
        self._label = label
        self._path = card.path / f"{uuid.uuid4().hex}.json"
        self._file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self.bytes = 0
        self._write(0)

    def resize(self, size: int) -> None:
        """Hold this many bytes from now on; raises OutOfMemoryError and changes nothing when they are not free."""
        with self.card._locked():
            free = self.card.memory - self.card._held()
            if size - self.bytes > free:
                raise OutOfMemoryError(size - self.bytes, free, self.card.memory)
            self._write(size)

    def release(self) -> None:
        """Give everything back."""
        with self.card._locked():
            self._path.unlink(missing_ok=True)
            os.close(self._file)

    def _write(self, size: int) -> None:
        entry = json.dumps({"pid": os.getpid(), "label": self._label, "bytes": size}).encode()
        os.pwrite(self._file, entry, 0)
        os.ftruncate(self._file, len(entry))
        self.bytes = size


def from_environment(environment: dict[str, str], count: int) -> tuple[Card, ...]:
    """Return the cards this process sees, `count` of them, or none when nothing is simulated.

    Raises ValueError that names the variable when its value cannot be used.
    """
    folder = environment.get("MODELPOOL_SIMULATED_CARDS")
    if not folder:
        return ()
    memory = environment.get("MODELPOOL_SIMULATED_CARD_MEMORY", "24Gi")
    try:
        size = quantities.parse(memory)
    except ValueError as error:
        raise ValueError(f"MODELPOOL_SIMULATED_CARD_MEMORY {error}") from None
    visible = environment.get("CUDA_VISIBLE_DEVICES") or environment.get("NVIDIA_VISIBLE_DEVICES") or "all"
    indices = list(range(count)) if visible == "all" else _indices(visible)
    if len(indices) < count:
        raise ValueError(f"{count} cards are needed, the environment shows {len(indices)} ({visible!r})")
    return tuple(Card(folder=Path(folder), index=index, memory=size) for index in indices[:count])


def _indices(visible: str) -> list[int]:
    try:
        return [int(part) for part in visible.split(",") if part.strip()]
    except ValueError:
        raise ValueError(f"NVIDIA_VISIBLE_DEVICES must list card indices or be 'all', got {visible!r}") from None
