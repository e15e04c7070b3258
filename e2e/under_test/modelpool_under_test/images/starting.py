"""How long the gateway's image takes to be ready, run as a pod of a `restricted` namespace runs it.

By runc, with nothing between: a read-only root, a user that owns nothing, no capability, no privilege to gain, and no
folder to write to. It follows an API server that has nothing to tell. Root and Linux; elsewhere nothing is measured.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from modelpool_cluster.node.prerequisites import PATH

from .contents import read, unpack
from .held import Start

USER: Final = 65532
ROUNDS: Final = 3
"""The best one counts: a machine that builds images may be busy with other things."""
_DEADLINE: Final = 60.0
_MOUNTS: Final[list[dict[str, Any]]] = [
    {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
    {
        "destination": "/dev",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["nosuid", "strictatime", "mode=755", "size=64k"],
    },
]


class NotReadyError(Exception):
    """The container ended, or was not ready in time; the message carries what it said."""


def possible() -> bool:
    """Whether containers can be run here."""
    return shutil.which("runc", path=PATH) is not None and os.geteuid() == 0


def start(archive: Path, scratch: Path | None) -> Start:
    """Start the gateway's container until it is ready, some times, and return the best start.

    Raises:
        NotReadyError: it did not get there, or did not end well.
    """
    with tempfile.TemporaryDirectory(prefix="modelpool-start-", dir=scratch) as folder:
        bundle = Path(folder)
        unpack(archive, bundle / "rootfs")
        with _silent_api() as server:
            (bundle / "kubeconfig").write_text(json.dumps(_kubeconfig(server)))
            (bundle / "config.json").write_text(json.dumps(_specification(read(archive).config, bundle)))
            return min((_round(bundle, number) for number in range(ROUNDS)), key=lambda one: one.seconds)


def _round(bundle: Path, number: int) -> Start:
    name = f"{bundle.name}-{number}"
    runc = ["runc", f"--root={bundle / 'state'}"]
    environment = {"PATH": PATH}
    with (bundle / "log").open("w+") as log:
        began = time.monotonic()
        with subprocess.Popen(
            [*runc, "run", f"--bundle={bundle}", f"--pid-file={bundle / 'pid'}", name],
            env=environment,
            stdout=log,
            stderr=log,
            text=True,
        ) as running:
            try:
                while not _ready(bundle / "log"):
                    if running.poll() is not None or time.monotonic() - began > _DEADLINE:
                        raise NotReadyError(f"the gateway's container said: {(bundle / 'log').read_text()[-2000:]}")
                    time.sleep(0.005)
                took = Start(
                    seconds=time.monotonic() - began,
                    processor_seconds=_processor_seconds(int((bundle / "pid").read_text())),
                    undisturbed=os.getloadavg()[0] < (os.cpu_count() or 1),
                )
                subprocess.run([*runc, "kill", name, "TERM"], env=environment, check=True)
                if running.wait(_DEADLINE) != 0:
                    raise NotReadyError(f"the gateway's container ended with {running.returncode}")
                return took
            finally:
                subprocess.run([*runc, "delete", "--force", name], env=environment, capture_output=True, check=False)


def _processor_seconds(pid: int) -> float:
    """Return what a process has used, in the kernel and outside of it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ready(log: Path) -> bool:
    for line in log.read_text().splitlines():
        if line.startswith('{"listening"'):
            address = json.loads(line)["listening"][0]
            try:
                with urllib.request.urlopen(f"http://{address}/readyz", timeout=5) as answer:
                    return bool(answer.status == 200)
            except urllib.error.URLError:
                return False
    return False


def _kubeconfig(server: str) -> dict[str, Any]:
    return {
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": server}}],
    }


def _specification(image: dict[str, Any], bundle: Path) -> dict[str, Any]:
    """Return runc's config.json: what the kubelet makes of the chart's security context."""
    arguments = ["--kubeconfig=/kubeconfig", "--listen=127.0.0.1:0", "--drain-delay=0"]
    told = {
        "destination": "/kubeconfig",
        "type": "bind",
        "source": str(bundle / "kubeconfig"),
        "options": ["ro", "bind"],
    }
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": USER, "gid": USER},
            "args": [*(image.get("Entrypoint") or ()), *arguments],
            "env": image.get("Env") or [],
            "cwd": image.get("WorkingDir") or "/",
            "capabilities": {},
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "mounts": [*_MOUNTS, told],
        # The network is ours, where the API server is.
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]},
    }


@contextlib.contextmanager
def _silent_api() -> Iterator[str]:
    """An API server with empty collections, whose watches tell nothing; yields its URL."""
    over = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            if "watch=true" in self.path:
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                over.wait(_DEADLINE)
                self.close_connection = True
                return
            body = json.dumps({"metadata": {"resourceVersion": "1"}, "items": []}).encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class' name
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="silent api")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            over.set()
            server.shutdown()
            thread.join()
