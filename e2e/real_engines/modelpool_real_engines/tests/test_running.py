"""Programs end with who started them: shown by killing a process that started some, simple ones instead of engines."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelpool_cluster.controlplane.supervise import started
from modelpool_real_engines import running

_STARTER = """
import signal
import sys
from pathlib import Path
from modelpool_real_engines.running import _running

signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell runs in the background ignores it
folder = Path(sys.argv[1])
program = 'sleep 600 & echo $$ $! > "$0"; wait'  # as an engine does: it starts another and waits for it
with _running(["sh", "-c", program, folder / "first"], folder / "log", 0):
    with _running(["sh", "-c", program, folder / "second"], folder / "log", 0):
        print("started", flush=True)
        sys.stdin.read()
"""
_DEADLINE = 60.0


@contextlib.contextmanager
def starter(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", _STARTER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"
            yield process
        finally:
            process.kill()


def family(folder: Path) -> list[int]:
    """The ids of both programs and of what they started, once these are written down."""
    files = [folder / "first", folder / "second"]
    running.until("the programs run", lambda: all(file.exists() and file.read_text().endswith("\n") for file in files))
    return [int(word) for file in files for word in file.read_text().split()]


def still_there(pids: list[int], within: float = _DEADLINE) -> list[int]:
    """Who has not ended in time."""
    ends = time.monotonic() + within
    while (left := [pid for pid in pids if started(pid)]) and time.monotonic() < ends:
        time.sleep(0.01)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return left


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends children with their parent on Linux alone")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_programs_end_with_who_started_them(number: signal.Signals, tmp_path: Path) -> None:
    with starter(tmp_path) as process:
        pids = family(tmp_path)
        assert len(pids) == 4
        assert all(started(pid) for pid in pids)
        process.send_signal(number)
        process.wait()
        assert still_there(pids) == []


def test_programs_end_when_they_are_no_longer_wanted(tmp_path: Path) -> None:
    with starter(tmp_path) as process:
        pids = family(tmp_path)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(_DEADLINE) == 0
        assert still_there(pids) == []
