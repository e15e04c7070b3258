"""What a run leaves that is killed together with its supervisor is found by the record and removed; the rest is not."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelpool_cluster import leftovers
from modelpool_cluster.binaries.cache import STAGING, Cache
from modelpool_cluster.controlplane import layout, supervise
from modelpool_cluster.node import cgroups

SLEEP = [sys.executable, "-S", "-c", "import signal; signal.pause()"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is tested reads /proc")


@pytest.fixture(autouse=True)
def _no_groups_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "sweep", list)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEP) as process:
        yield process
        process.kill()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / f"{layout.PREFIX}run"
    path.mkdir()
    return path


def record(folder: Path, owner: tuple[int, str], **processes: tuple[int, str]) -> None:
    """Write the record of a run whose supervisor has ended."""
    document = {"owner": owner, "supervisor": (os.getpid(), "long ago"), "processes": processes, "cgroups": []}
    (folder / supervise.RECORD).write_text(json.dumps(document))


def cleaned(folder: Path) -> list[str]:
    lines: list[str] = []
    assert leftovers.clean([folder.parent], folder.parent / "caches", lines.append) == len(lines)
    return lines


def test_what_a_dead_run_left_is_removed_and_said_once(folder: Path, sleeper: subprocess.Popen[bytes]) -> None:
    record(folder, (os.getpid(), "long ago"), etcd=(sleeper.pid, supervise.started(sleeper.pid)))

    assert cleaned(folder) == [f"Killed etcd, process {sleeper.pid}", f"Removed {folder}"]

    assert sleeper.wait() == -signal.SIGKILL
    assert not folder.exists()
    assert cleaned(folder) == []


def test_a_process_that_has_only_the_number_is_not_ours(folder: Path, sleeper: subprocess.Popen[bytes]) -> None:
    record(folder, (os.getpid(), "long ago"), etcd=(sleeper.pid, "long ago"))

    assert cleaned(folder) == [f"Removed {folder}"]

    assert sleeper.poll() is None


def test_a_run_that_lives_is_left_alone(folder: Path) -> None:
    record(folder, (os.getpid(), supervise.started(os.getpid())))

    assert cleaned(folder) == [f"Left {folder} alone: process {os.getpid()} uses it"]

    assert folder.exists()


def test_a_folder_without_a_record_is_removed_when_it_is_old_and_unused(folder: Path) -> None:
    assert cleaned(folder) == [], "it may just be starting"
    os.utime(folder, (0, 0))
    with subprocess.Popen([*SLEEP, str(folder)]) as user:
        assert cleaned(folder) == [f"Left {folder} alone: processes {user.pid} name it, and it has no record"]
        user.kill()

    assert cleaned(folder) == [f"Removed {folder}, which nobody used"]


def test_a_cache_that_nobody_fills_loses_its_temporary_folders(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "caches" / "images" / "wheels" / "0123")
    stale = cache.folder / f"{STAGING}abc"
    stale.mkdir(parents=True)
    lines: list[str] = []
    with cache.folder.joinpath(".lock").open("w") as filler:
        fcntl.flock(filler, fcntl.LOCK_EX)
        assert leftovers.clean([], tmp_path / "caches", lines.append) == 0
        assert stale.exists()

    assert leftovers.clean([], tmp_path / "caches", lines.append) == 1

    assert lines == [f"Removed {stale}, which was to be filled"]
    assert not stale.exists()
