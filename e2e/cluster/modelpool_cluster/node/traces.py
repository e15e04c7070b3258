"""Looks for what a run left behind: the proof that it left nothing. Reads /proc and /sys, changes nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from pathlib import Path

from . import cgroups


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """By what the things of a run are known."""

    folder: Path
    cgroup: str
    network: str
    """The network namespace, such as `net:[4026532281]`: while it is, so are its interfaces and nft tables."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What is left of a run."""

    processes: tuple[str, ...]
    """Those in its network namespace, or with its folder in their command line."""
    mounts: tuple[str, ...]
    """Mount points of any living process in its folder."""
    cgroups: tuple[str, ...]
    files: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.processes or self.mounts or self.cgroups or self.files)

    def __str__(self) -> str:
        found = {
            "processes (with the network namespace, its interfaces and nft tables)": self.processes,
            "mounts": self.mounts,
            "control groups": self.cgroups,
            "files": self.files,
        }
        return ", ".join(f"{len(each)} {name}{f': {each}' if each else ''}" for name, each in found.items())


def look(mark: Mark) -> Traces:
    """Return what is left."""
    folder = os.fsencode(mark.folder)
    processes, mounts = [], set()
    for process in (path for path in Path("/proc").iterdir() if path.name.isdigit()):
        if int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it has just ended
            if str((process / "ns" / "net").readlink()) == mark.network or folder in (process / "cmdline").read_bytes():
                processes.append(f"{process.name} {(process / 'comm').read_text().strip()}")
            mounts |= {
                fields[4]
                for line in (process / "mountinfo").read_text().splitlines()
                if str(mark.folder) in (fields := line.split())[4]
            }
    return Traces(
        processes=tuple(processes),
        mounts=tuple(sorted(mounts)),
        cgroups=tuple(cgroups.left(mark.cgroup)),
        files=(str(mark.folder),) if mark.folder.exists() else (),
    )
