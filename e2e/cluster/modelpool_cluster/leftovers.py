"""What runs left behind that were killed together with their supervisors, and its removal. Called by `__main__`.

Works from the record that `supervise` keeps in a run's folder. A process is ended when its id and its start are those
that were written down, or when it is in another network than ours and the run's folder, whose name is random, stands in
its command line; never by what it is called. Runs whose owner lives are left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import waiting
from .binaries.cache import STAGING, Cache
from .controlplane import layout, supervise
from .node import cgroups

_ENDING_SECONDS = 40.0
"""In which a supervisor whose owner was killed ends by itself."""
_RECORD_SECONDS = 60.0
"""A folder that still has no record after this, and no process that names it, belongs to nobody."""
_GONE_SECONDS = 15.0
_DEPTHS = ("", "*/", "*/*/", "*/*/*/")
"""At which caches are, below the folder of all caches."""


def places(wish: Path | None) -> list[Path]:
    """Return where folders of runs may lie, whatever the settings were when they ran."""
    found = [wish, layout.MEMORY, Path(tempfile.gettempdir())]
    return list(dict.fromkeys(place for place in found if place is not None and place.is_dir()))


def clean(where: list[Path], caches: Path, log: Callable[[str], None]) -> int:
    """Remove what dead runs left in those places and in the caches, saying what; returns how many things there were."""
    found = 0
    for folder in sorted(path for place in where for path in place.glob(f"{layout.PREFIX}*")):
        for line in _clean_run(folder):
            log(line)
            found += 1
    for name in cgroups.sweep():
        log(f"Removed the control group {name}")
        found += 1
    for cache in sorted({path.parent for depth in _DEPTHS for path in caches.glob(f"{depth}{STAGING}*")}):
        for folder in Cache(cache).sweep():
            log(f"Removed {folder}, which was to be filled")
            found += 1
    return found


def _clean_run(folder: Path) -> Iterator[str]:
    record = _record_of(folder)
    if record is None:
        if users := _users(folder):
            yield f"Left {folder} alone: processes {', '.join(map(str, users))} name it, and it has no record"
        elif folder.stat().st_mtime < time.time() - _RECORD_SECONDS:
            shutil.rmtree(folder)
            yield f"Removed {folder}, which nobody used"
        return
    if _lives(record["owner"]):
        yield f"Left {folder} alone: process {record['owner'][0]} uses it"
        return
    if _lives(record["supervisor"]):
        with contextlib.suppress(TimeoutError):
            waiting.wait_for("the supervisor's end", lambda: not folder.exists(), timeout=_ENDING_SECONDS)
            yield f"Waited until {folder} had been removed by its supervisor"
            return
    yield from _end_processes(folder, {"supervisor": record["supervisor"], **record["processes"]})
    for mount in _mounts(folder):
        subprocess.run(["umount", "--lazy", mount], check=True, timeout=30)
        yield f"Unmounted {mount}"
    for name in record["cgroups"]:
        for top in map(Path, cgroups.left(name)):
            supervise.remove_cgroup(top, time.monotonic() + _GONE_SECONDS)
            yield f"Removed the control group {top}"
    shutil.rmtree(folder)
    yield f"Removed {folder}"


def _end_processes(folder: Path, known: dict[str, tuple[int, str]]) -> Iterator[str]:
    for name, (pid, start) in known.items():
        if _end(pid, start):
            yield f"Killed {name}, process {pid}"
    for pid, network in _users(folder).items():
        if network != _network_of("self") and _end(pid, supervise.started(pid)):
            yield f"Killed process {pid}, which was in the network of {folder}"


def _record_of(folder: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads((folder / supervise.RECORD).read_text()))
    except FileNotFoundError:
        return None


def _lives(known: tuple[int, str]) -> bool:
    pid, start = known
    return supervise.started(pid) == start != ""


def _end(pid: int, start: str) -> bool:
    """Kill a process and wait for its end; returns whether it was there."""
    if not _lives((pid, start)):
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    waiting.wait_for(f"the end of process {pid}", lambda: not _lives((pid, start)), timeout=_GONE_SECONDS)
    return True


def _users(folder: Path) -> dict[int, str]:
    """Return the processes that name the folder in their command line or work in it, with their networks."""
    found = {}
    for process in (path for path in Path("/proc").glob("[0-9]*") if int(path.name) != os.getpid()):
        with contextlib.suppress(OSError):  # it has just ended
            inside = (process / "cwd").readlink().is_relative_to(folder)
            if inside or os.fsencode(folder) in (process / "cmdline").read_bytes():
                found[int(process.name)] = _network_of(process.name)
    return found


def _network_of(process: str) -> str:
    return str(Path(f"/proc/{process}/ns/net").readlink())


def _mounts(folder: Path) -> list[str]:
    """Return what is mounted below the folder where we are, the deepest first."""
    table = Path("/proc/self/mountinfo")
    if not table.exists():
        return []
    points = [line.split()[4] for line in table.read_text().splitlines()]
    return sorted((point for point in points if Path(point).is_relative_to(folder)), reverse=True)
