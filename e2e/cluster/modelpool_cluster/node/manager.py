"""The provider `node` behind pytest-kubernetes' cluster manager: starts the parts in order, and proves their end."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import Any

from pytest_kubernetes.options import ClusterOptions

from ..binaries import Binaries
from ..controlplane import certificates
from ..controlplane.layout import choose_scratch
from ..managers import ControlPlaneManager
from ..settings import Settings
from . import archive, cgroups, configuration, prerequisites, traces
from .addresses import Host
from .configuration import Files
from .machine import Machine
from .plane import NodePlane


class LeftoversError(Exception):
    """Something of the node outlived it; the message says what."""


class NodeManager(ControlPlaneManager):
    """The control plane with one real node."""

    machine: Machine | None = None
    _mark: traces.Mark | None = None

    def __init__(self, settings: Settings, binaries: Binaries) -> None:
        super().__init__(settings, binaries)
        self._programs: dict[str, Path] = {}
        self._others: dict[Host, Machine] = {}
        self.seconds: dict[str, float] = {}
        """What each part of the start took."""

    @classmethod
    def get_binary_name(cls) -> str:
        """Name the program that stands for the provider."""
        return "kubelet"

    def _ensure_executable(self) -> None:
        prerequisites.check()
        self.binaries.control_plane()
        self.binaries.node()

    def load_image(self, image: str) -> None:
        """Import an archive of images, a file, into containerd."""
        self.import_images(Path(image))

    def import_images(self, file: Path) -> None:
        """Import an archive, OCI's or Docker's, into containerd; the archive says the names."""
        self._running().import_images(file)

    def reboot(self) -> None:
        """Let the node lose its power and boot again. Returns when its kubelet has started; pods come later."""
        machine = self._running()
        machine.cut_power()
        machine.boot()

    def join(self, host: Host) -> Machine:
        """Let another node boot: containerd and a kubelet of its own, in the first one's network.

        It ends with the run, or when its power is cut. Whoever joins again finds its disk as it was.
        """
        first = self._running()
        if self.layout is None or self._supervisor is None:
            raise RuntimeError("the control plane has no supervisor")
        if host in self._others:
            self._others[host].boot()
            return self._others[host]
        first.space.add_address(host.address)
        files = Files(layout=self.layout, cgroup=f"{first.files.cgroup}/{host.name}", host=host)
        cgroups.make(files.cgroup)
        machine = self._others[host] = Machine(files, self._programs, first.space, self._supervisor)
        machine.install()
        machine.boot()
        machine.import_images(first.files["pause.tar"])
        return machine

    def _running(self) -> Machine:
        if self.machine is None:
            raise RuntimeError("the node is not running")
        return self.machine

    def _on_create(self, cluster_options: ClusterOptions, **kwargs: Any) -> None:
        swept = cgroups.sweep()
        programs = {name: binary.path for name, binary in self.binaries.control_plane().items()}
        self._programs = {name: binary.path for name, binary in self.binaries.node().items()}
        cgroup = f"{cgroups.PREFIX}{os.getpid()}-{secrets.token_hex(3)}"
        began = time.monotonic()
        plane = self.plane = NodePlane(programs, lambda: choose_scratch(self.settings.scratch))
        self.layout = plane.start()
        self._supervisor = plane.supervisor
        self._cluster_options.kubeconfig_path = self.layout.kubeconfig(certificates.ADMIN.name)
        if plane.supervisor is None or plane.space is None:
            raise RuntimeError("the control plane has no supervisor")
        self._mark = traces.Mark(folder=self.layout.folder, cgroup=cgroup, network=plane.space.identity)
        plane.supervisor.will_remove_cgroup(cgroup)
        cgroups.make(cgroup)
        self.seconds = {"swept": float(len(swept))} if swept else {}
        self.seconds["control plane"] = time.monotonic() - began
        files = Files(layout=self.layout, cgroup=cgroup)
        self.machine = Machine(files, self._programs, plane.space, plane.supervisor)
        began = time.monotonic()
        self.machine.install()
        self.machine.boot()
        self.import_images(self._pause(files, self._programs["pause"]))
        self.seconds["containerd"] = time.monotonic() - began

    def _pause(self, files: Files, program: Path) -> Path:
        layer = archive.write_layer(files["pause-layer.tar"], {"pause": program})
        target = files["pause.tar"]
        archive.write_image(target, configuration.PAUSE_IMAGE, [layer], {"Entrypoint": ["/pause"], "User": "65535"})
        return target

    def _on_delete(self) -> None:
        self.machine = None
        self._others = {}
        super()._on_delete()
        if self._mark is not None:
            mark, self._mark = self._mark, None
            self.traces = traces.look(mark)
            if self.traces:
                raise LeftoversError(f"the node is gone, but not all of it: {self.traces}")

    traces: traces.Traces | None = None
    """What was left after the end: nothing, or the end failed."""
