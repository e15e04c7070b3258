"""The node's machine: boots, loses its power, boots again. Its disk, a folder, outlives it; its mounts do not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from .. import waiting
from ..controlplane.supervisor import Supervisor
from . import configuration, init, prerequisites
from .configuration import Files
from .space import Space

_PRIVATE = ("/var/lib", "/var/log")
"""Folders that programs of a node write to whatever they are told: each gets an overlay that is thrown away."""


class Machine:
    """A process and mount namespace with containerd, kubelet, kube-proxy and CoreDNS in it."""

    def __init__(self, files: Files, programs: Mapping[str, Path], space: Space, supervisor: Supervisor) -> None:
        """`programs` are paths by name; containerd is the machine's own."""
        self.files = files
        self._programs = programs
        self.space = space
        self._supervisor = supervisor
        self.pid = 0
        """The first process, as the outside knows it."""
        self._name = f"machine-{files.host.name}"

    def install(self) -> None:
        """Write all configuration and the plan. Once, before the first boot."""
        for name, content in configuration.documents(self.files).items():
            path = self.files[name]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
        for name in ("pod-logs", "volume-plugins", "kubelet"):
            self.files[name].mkdir()
        before = [["mount", "-t", "tmpfs", "tmpfs", "/run"]]
        for folder in _PRIVATE:
            store = self.files[f"private{folder}"]
            for part in ("upper", "work"):
                (store / part).mkdir(parents=True)
            options = f"lowerdir={folder},upperdir={store / 'upper'},workdir={store / 'work'}"
            before.append(["mount", "-t", "overlay", "overlay", "-o", options, folder])
        programs = [
            {
                "name": name,
                "argv": [str(self._programs.get(name, name)), *arguments],
                "log": str(self.files.layout.logs / f"{name}-{self.files.host.name}.log"),
                "after": str(self.files.socket) if name == "kubelet" else None,
            }
            for name, arguments in configuration.commands(self.files).items()
        ]
        plan = {"path": prerequisites.PATH, "before": before, "programs": programs}
        self.files["plan.json"].write_text(json.dumps(plan))

    def boot(self) -> None:
        """Start it. Returns when containerd answers. Raises TimeoutError."""
        first = [sys.executable, "-I", "-S", init.__file__, str(self.files["plan.json"])]
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc", "--", *first]
        parent = self._supervisor.start(
            self._name, self.space.command(command), self.files.layout.logs / f"{self._name}.log"
        )
        children = Path(f"/proc/{parent}/task/{parent}/children")
        waiting.wait_for("the machine's first process", lambda: children.read_text().split(), timeout=30, every=0.02)
        self.pid = int(children.read_text().split()[0])

        def answers() -> bool:
            self.check_alive()
            done = subprocess.run(self.ctr("version"), capture_output=True, timeout=30, check=False)
            return done.returncode == 0

        waiting.wait_for("containerd", answers, timeout=60)

    def check_alive(self) -> None:
        """Raise RuntimeError when the machine has gone down by itself."""
        if (code := self._supervisor.exits().get(self._name)) is not None:
            raise RuntimeError(f"{self._name} ended with {code}")

    @property
    def is_off(self) -> bool:
        """Whether its power has been cut, or it never booted."""
        return self.pid == 0

    def cut_power(self) -> None:
        """Kill everything that runs on it at once, and return when all is gone."""
        os.kill(self.pid, signal.SIGKILL)
        waiting.wait_for("the machine's end", lambda: self._name in self._supervisor.exits(), timeout=60)
        self.files.socket.unlink(missing_ok=True)
        self.pid = 0

    def inside(self, *argv: str) -> list[str]:
        """Return the command that runs another one on the machine, with its mounts, processes and network."""
        return ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--net", "--", *argv]

    def import_images(self, file: Path) -> None:
        """Import an archive, OCI's or Docker's, into containerd; the archive says the names. Raises RuntimeError."""
        done = subprocess.run(
            self.ctr("images", "import", str(file)), capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"containerd took no images from {file}: {done.stderr.strip()}")

    def ctr(self, *arguments: str) -> list[str]:
        """Return a command for containerd about the images and containers of pods."""
        return ["ctr", f"--address={self.files.socket}", "--namespace=k8s.io", *arguments]
