"""Computing time of simulated GPUs, shared by every engine that steps on the same card at the same time.

A card without MPS lets one process compute at a time, in turns: engines that are busy together get about equal parts
of it, and turning costs something. `bench/card_sharing.py` measured it: two, three and five engines that write answers
reach 88 % of what one does alone, and up to 96 % when one of them reads a prompt. Each engine has a slot in a file
beside the card's account of memory, in which it writes until when it is busy; so a neighbour that dies stops to count
by itself.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from pathlib import Path

SLOTS = 64
"""Engines that may share a card; more than fit into any."""
_SLOT = struct.Struct("<dd")
"""When the work under way ends, on the machine's monotonic clock, and the seconds of work done so far."""
_LATE = 0.1
"""Seconds by which an engine may be late for its next step and still counts as busy; an idle one says so."""
_SHARED = 0.88
"""Share of the card that engines get in sum when several are busy: of all mixes that were measured, the least."""


def efficiency(engines: int) -> float:
    """Return the share of the card that so many busy engines get in sum."""
    return 1.0 if engines == 1 else _SHARED


class Timeslice:
    """One engine's part of a card's time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._claim, self._at = _claim(folder)
        self._file = os.open(folder / "time", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        if os.fstat(self._file).st_size < SLOTS * _SLOT.size:
            os.ftruncate(self._file, SLOTS * _SLOT.size)
        self._slots = mmap.mmap(self._file, SLOTS * _SLOT.size)
        self._worked: float = _SLOT.unpack_from(self._slots, self._at)[1]

    def take(self, seconds: float, *, now: float) -> float:
        """Do work that takes so many seconds alone; return how long it takes with those that are busy now."""
        engines = 1 + sum(
            1
            for at in range(0, SLOTS * _SLOT.size, _SLOT.size)
            if at != self._at and _SLOT.unpack_from(self._slots, at)[0] > now - _LATE
        )
        lasting = seconds * engines / efficiency(engines)
        self._worked += seconds
        _SLOT.pack_into(self._slots, self._at, now + lasting, self._worked)
        return lasting

    def rest(self) -> None:
        """Say that there is nothing more to do."""
        _SLOT.pack_into(self._slots, self._at, 0.0, self._worked)

    def close(self) -> None:
        """Give the slot to the next engine; the work it did stays counted."""
        self.rest()
        self._slots.close()
        os.close(self._file)
        os.close(self._claim)


def worked(folder: Path) -> float:
    """Return the seconds of work that all engines have done on the card, as if each had been alone."""
    try:
        content = (folder / "time").read_bytes()
    except FileNotFoundError:
        return 0.0
    done: list[float] = [seconds for _, seconds in _SLOT.iter_unpack(content)]
    return sum(done)


def _claim(folder: Path) -> tuple[int, int]:
    """Lock the first free slot; return the open lock and where the slot begins. The kernel unlocks it at death."""
    for number in range(SLOTS):
        lock = os.open(folder / f"time-{number}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return lock, number * _SLOT.size
    raise OSError(f"{SLOTS} engines share {folder} already")
