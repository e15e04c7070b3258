"""The first process of the node's machine: makes its mounts, starts its programs, buries its dead.

A program of its own, the first of a process and mount namespace: when it dies, the kernel kills all others and takes
every mount away. It is run with a plan, a JSON document: `path` (PATH), `before` (commands to run first) and `programs`
(`name`, `argv`, `log`, and `after`, a socket to wait for). Standard library only, without site-packages.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_SOCKET_SECONDS = 60.0


def wait_for_socket(path: str) -> None:
    """Return when somebody listens on a Unix socket, or when it has taken too long: the log will say the rest."""
    deadline = time.monotonic() + _SOCKET_SECONDS
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(path)
            except OSError:
                time.sleep(0.05)
            else:
                return
    print(f"Nobody listens on {path}", flush=True)  # noqa: T201


def main(plan: dict[str, Any]) -> None:
    """Run until killed: the first process of a namespace gets no signal that it does not handle."""
    environment = {"PATH": plan["path"], "HOME": "/root"}
    for command in plan["before"]:
        subprocess.run(command, env=environment, check=True)
    children: dict[int, str] = {}
    for program in plan["programs"]:
        if program["after"] is not None:
            wait_for_socket(program["after"])
        with Path(program["log"]).open("ab") as log:
            child = subprocess.Popen(program["argv"], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        children[child.pid] = program["name"]
        print(f"Started {program['name']}", flush=True)  # noqa: T201
    while True:
        pid, status = os.wait()  # also those whose parents died; there is always a child, or we would not be needed
        if pid in children:
            print(f"{children[pid]} ended with {os.waitstatus_to_exitcode(status)}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
