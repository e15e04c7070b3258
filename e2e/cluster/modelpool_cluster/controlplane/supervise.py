"""The parent of the control plane's processes: a program of its own, started by `supervisor`, that outlives nobody.

It ends its children and removes the run's folder when it is told to, when its own parent goes away in any manner (the
pipe that is its standard input closes, or it is adopted), and when it is terminated. Should it be killed itself, the
kernel kills the children. It imports nothing but the standard library and is run without site-packages, to start in
milliseconds.

Descendants that outlive their parents become its own, so that it knows when all are gone.

Spoken on the pipe, one JSON document per line: `{"start": name, "argv": […], "log": path}` is answered by `{"pid": …}`;
`{"exits": true}` by `{"exits": {name: code}}`; `{"cgroup": name}`, a control group to remove at the end from every
hierarchy, by `{}`; anything that fails by `{"error": …}`.
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


class Family:
    """The children, by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cgroups: list[str] = []
        self._children: dict[str, subprocess.Popen[bytes]] = {}

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
            return {"pid": child.pid}
        if "cgroup" in request:
            self._cgroups.append(request["cgroup"])
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
    family = Family(folder)
    try:
        serve(family)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        family.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
