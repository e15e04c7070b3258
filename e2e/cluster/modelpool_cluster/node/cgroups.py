"""The control group that all pods of a run are below, in every hierarchy. Made here, removed by the supervisor."""

from __future__ import annotations

import contextlib
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PREFIX = "modelpool-node-"


def make(name: str) -> None:
    """Make the group: in each hierarchy of version 1, or in the one of version 2 with its controllers handed down."""
    if (ROOT / "cgroup.controllers").exists():
        _make_unified(name)
        return
    for hierarchy in (path for path in ROOT.iterdir() if (path / "tasks").exists()):
        group = hierarchy / name
        group.mkdir(exist_ok=True)  # cpu and cpuacct may be one folder under two names
        for setting in ("cpuset.cpus", "cpuset.mems"):  # a new group has none, and nothing can run in it
            if (group / setting).exists() and not (group / setting).read_text().strip():
                (group / setting).write_text((hierarchy / setting).read_text())


def _make_unified(name: str) -> None:
    group = ROOT / name
    group.mkdir()
    for folder in (ROOT, group):
        for controller in (folder / "cgroup.controllers").read_text().split():
            with contextlib.suppress(OSError):  # one that cannot be handed down will be missed by name
                (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def sweep() -> list[str]:
    """Remove groups that a killed supervisor left; returns their names. Groups of living runs refuse."""
    swept = set()
    for top in (*ROOT.glob(f"{PREFIX}*"), *ROOT.glob(f"*/{PREFIX}*")):
        if Path(f"/proc/{top.name.removeprefix(PREFIX).partition('-')[0]}").exists():
            continue
        for folder in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
        with contextlib.suppress(OSError):
            top.rmdir()
            swept.add(top.name)
    return sorted(swept)


def left(name: str) -> list[str]:
    """Return the paths at which a group still is."""
    return [str(path) for path in (ROOT / name, *ROOT.glob(f"*/{name}")) if path.exists()]
