"""The parent of the control plane's processes: a program of its own, started by `supervisor`, that outlives nobody.

It ends its children and removes the run's folder when it is told to, when its own parent goes away in any manner (the
pipe that is its standard input closes, or it is adopted), and when it is terminated. Should it be killed itself, the
kernel kills the children. It imports nothing but the standard library and is run without site-packages, to start in
milliseconds.

Descendants that outlive their parents become its own, so that it knows when all are gone.

Spoken on the pipe, one JSON document per line: `{"start": name, "argv": […], "log": path}` is answered by `{"pid": …}`;
`{"exits": true}` by `{"exits": {name: code}}`; `{"cgroup": name}`, a control group to remove at the end from every
hierarchy, and `{"network": pid}`, a process in whose network namespace nobody shall be left, by `{}`; anything that
fails by `{"error": …}`.

It keeps a record of the run, the file `RECORD` in the folder, for `leftovers`: should it be killed itself, somebody
else must know what was ours. A process is known by its id and its start, for ids are used again.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RECORD = "run.json"
"""`owner` and `supervisor` (id and start), `processes` (the same, by name), `cgroups` (names)."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_CGROUPS = Path("/sys/fs/cgroup")
_LAST_SECONDS = 15.0
"""Until descendants of killed children must be gone."""
_LOOK_EVERY = 0.5
"""Seconds between two looks at whether the parent is still there."""


def die_with(parent: int) -> Callable[[], None]:
    """Return what a child runs before its program: the kernel shall kill it when this process dies.

    Linux; elsewhere nothing.
    """
    if sys.platform != "linux":
        return lambda: None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def arm() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before we were armed
            os._exit(1)

    return arm


def adopt_orphans() -> None:
    """Become the parent of descendants whose parents die. Linux; elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def started(pid: int) -> str:
    """Return when a process was started, in whatever words the system has for it; empty when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return ""
        shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return shown.stdout.strip()
    return "" if fields[0] in "ZX" else fields[19]


class Family:
    """The children, by name."""

    def __init__(self, folder: Path, owner: int) -> None:
        self._folder = folder
        self._owner = owner
        self._known = {"owner": [owner, started(owner)], "supervisor": [os.getpid(), started(os.getpid())]}
        self._cgroups: list[str] = []
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._starts: dict[str, list[object]] = {}
        self._network = -1
        """A network namespace; while it is open, no other gets its number."""
        self._record()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what one document asks for."""
        if "start" in request:
            with Path(request["log"]).open("ab") as log:
                child = subprocess.Popen(
                    request["argv"],
                    cwd=self._folder,
                    env={"HOME": str(self._folder), "PATH": os.defpath},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    preexec_fn=die_with(os.getpid()),
                )
            self._children[request["start"]] = child
            self._starts[request["start"]] = [child.pid, started(child.pid)]
            self._record()
            return {"pid": child.pid}
        if "cgroup" in request:
            self._cgroups.append(request["cgroup"])
            self._record()
            return {}
        if "network" in request:
            self._network = os.open(f"/proc/{request['network']}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            return {}
        codes = {name: child.poll() for name, child in self._children.items()}
        return {"exits": {name: code for name, code in codes.items() if code is not None}}

    def end(self) -> None:
        """Kill all at once: their data is about to go, so there is nothing to be gentle for. Then remove the folder."""
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        for child in self._children.values():
            child.wait()
        self._clear_network()
        deadline = time.monotonic() + _LAST_SECONDS
        with contextlib.suppress(ChildProcessError):  # nobody is left
            while time.monotonic() < deadline:
                if os.waitpid(-1, os.WNOHANG) == (0, 0):
                    time.sleep(0.02)
        for name in self._cgroups:
            for top in _CGROUPS.glob(f"*/{name}"):
                remove_cgroup(top, deadline)
            remove_cgroup(_CGROUPS / name, deadline)
        shutil.rmtree(self._folder)

    def _clear_network(self) -> None:
        """Kill what a killed owner's programs left in the run's network: nobody else can be in it."""
        if self._network < 0:
            return
        number = os.fstat(self._network).st_ino
        for process in (path for path in Path("/proc").iterdir() if path.name.isdigit()):
            with contextlib.suppress(OSError):  # it has just ended
                if (process / "ns" / "net").stat().st_ino == number and int(process.name) != self._owner:
                    os.kill(int(process.name), signal.SIGKILL)

    def _record(self) -> None:
        document = {**self._known, "processes": self._starts, "cgroups": self._cgroups}
        fresh = self._folder / f".{RECORD}"
        fresh.write_text(json.dumps(document))
        fresh.rename(self._folder / RECORD)


def remove_cgroup(top: Path, deadline: float) -> None:
    """Remove a control group with all below it; a group whose last process is just ending is tried again."""
    for folder, _, _ in os.walk(top, topdown=False):
        while True:
            try:
                Path(folder).rmdir()
            except FileNotFoundError:
                break
            except OSError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.02)
            else:
                break


def serve(family: Family) -> None:
    """Answer requests until the parent is gone or hangs up."""
    parent = os.getppid()
    unread = b""
    while os.getppid() == parent:
        if not select.select([0], [], [], _LOOK_EVERY)[0]:
            continue
        received = os.read(0, 1 << 16)
        if not received:
            return
        *lines, unread = (unread + received).split(b"\n")
        for line in lines:
            try:
                answer = family.answer(json.loads(line))
            except (OSError, ValueError, KeyError) as exc:
                answer = {"error": f"{type(exc).__name__}: {exc}"}
            os.write(1, json.dumps(answer).encode() + b"\n")


def main(folder: Path) -> None:
    """Run until there is nobody left to run for."""

    def leave(signum: int, frame: object) -> None:
        raise SystemExit(128 + signum)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then hangs up
    adopt_orphans()
    family = Family(folder, os.getppid())
    try:
        serve(family)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        family.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
