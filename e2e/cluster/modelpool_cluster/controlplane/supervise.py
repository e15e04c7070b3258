"""The parent of the control plane's processes: a program of its own, started by `supervisor`, that outlives nobody.

It ends its children and removes the run's folder when it is told to, when its own parent goes away in any manner (the
pipe that is its standard input closes, or it is adopted), and when it is terminated. Should it be killed itself, the
kernel kills the children. It imports nothing but the standard library and is run without site-packages, to start in
milliseconds.

Spoken on the pipe, one JSON document per line: `{"start": name, "argv": […], "log": path}` is answered by `{"pid": …}`;
`{"exits": true}` by `{"exits": {name: code}}`; anything that fails by `{"error": …}`.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
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


class Family:
    """The children, by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
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
        codes = {name: child.poll() for name, child in self._children.items()}
        return {"exits": {name: code for name, code in codes.items() if code is not None}}

    def end(self) -> None:
        """Kill all at once: their data is about to go, so there is nothing to be gentle for. Then remove the folder."""
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        for child in self._children.values():
            child.wait()
        shutil.rmtree(self._folder)


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
    family = Family(folder)
    try:
        serve(family)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        family.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
