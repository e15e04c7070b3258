"""Nothing outlives the run: not when it is closed, not when its owner is killed, not when the supervisor is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from modelpool_cluster.controlplane.supervisor import Supervisor, SupervisorLostError
from modelpool_cluster.waiting import wait_for

SLEEP = [sys.executable, "-S", "-c", "import signal; signal.pause()"]

OWNER = """
import signal, sys
from pathlib import Path
from modelpool_cluster.controlplane.supervisor import Supervisor
supervisor = Supervisor(Path(sys.argv[1]))
print(supervisor.pid, supervisor.start("sleeper", sys.argv[2:], Path(sys.argv[1]) / "log"), flush=True)
signal.pause()
"""


def is_gone(pid: int) -> bool:
    """Return whether a process has ended; a zombie that nobody reaped has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir()
    return path


def test_closing_ends_all_and_removes_the_folder(folder: Path) -> None:
    supervisor = Supervisor(folder)
    pids = [supervisor.start(f"sleeper-{number}", SLEEP, folder / "log") for number in range(2)]
    assert not any(is_gone(pid) for pid in pids)

    supervisor.close()
    supervisor.close()

    assert all(is_gone(pid) for pid in pids)
    assert not folder.exists()


def test_who_has_ended_is_told_with_its_code_and_its_words(folder: Path) -> None:
    supervisor = Supervisor(folder)
    try:
        supervisor.start("short", [sys.executable, "-S", "-c", "print('bye'); raise SystemExit(3)"], folder / "log")
        exits = wait_for("the end of the program", supervisor.exits)
        assert exits == {"short": 3}
        assert (folder / "log").read_text() == "bye\n"
        with pytest.raises(OSError, match="absent did not start"):
            supervisor.start("absent", ["/nonexistent"], folder / "log")
    finally:
        supervisor.close()


def test_a_killed_owner_takes_all_with_it(folder: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, folder, *SLEEP], stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout is not None
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(pids) == 2
    finally:
        owner.kill()
        owner.wait()
        if owner.stdout is not None:
            owner.stdout.close()

    wait_for("the end of the supervisor and its child", lambda: all(is_gone(pid) for pid in pids))
    assert not folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no kernel ends the children of a killed parent")
def test_a_killed_supervisor_takes_its_children_with_it(folder: Path) -> None:
    supervisor = Supervisor(folder)
    pid = supervisor.start("sleeper", SLEEP, folder / "log")

    os.kill(supervisor.pid, signal.SIGKILL)

    wait_for("the end of the child", lambda: is_gone(pid))
    with pytest.raises(SupervisorLostError):
        supervisor.exits()
    supervisor.close()
