"""pytest-kubernetes' cluster manager, with three providers: `controlplane`, `kind`, `external`.

The upstream manager runs kubectl from PATH through a shell and polls once a second; ours runs the resolved kubectl with
plain arguments. Every manager has a private folder and a supervisor, so that what it starts beside the cluster (kwok)
ends with it. Called by `cluster`.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pytest_kubernetes.options import ClusterOptions
from pytest_kubernetes.providers.base import AClusterManager
from pytest_kubernetes.providers.external import ExternalManagerBase
from pytest_kubernetes.providers.kind import KindManagerBase

from .binaries import Binaries
from .controlplane import certificates
from .controlplane.layout import Layout, choose_scratch
from .controlplane.running import ControlPlane
from .controlplane.supervisor import Supervisor
from .settings import InvalidSettingError, Provider, Settings


class KubectlError(RuntimeError):
    """kubectl ended with an error; the message is what it said. (A RuntimeError, as pytest-kubernetes raises.)"""


class Manager(AClusterManager):  # type: ignore[misc] # upstream ships no types
    """What all our providers share."""

    def __init__(self, settings: Settings, binaries: Binaries) -> None:
        self.settings = settings
        self.binaries = binaries
        self.layout: Layout | None = None
        self._supervisor: Supervisor | None = None
        super().__init__(
            f"modelpool-{secrets.token_hex(3)}",
            None,
            settings.kubeconfig if settings.provider is Provider.EXTERNAL else None,
        )

    def kubectl(
        self, args: Sequence[str | Path], as_dict: bool = True, timeout: int = 60, stdin: str | None = None
    ) -> Any:
        """Run kubectl as the cluster's admin and return its output, parsed when `as_dict`. Raises KubectlError."""
        if self.kubeconfig is None or self.layout is None:
            raise KubectlError("the cluster has not been created")
        command = [
            self.binaries.path("kubectl"),
            "--kubeconfig",
            self.kubeconfig,
            *args,
            *(["-o", "json"] if as_dict else []),
        ]
        environment = {**self.settings.environment, "KUBECACHEDIR": str(self.layout.folder / "kubectl-cache")}
        done = subprocess.run(
            command, input=stdin, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
        if done.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(map(str, args))}: {done.stderr.strip() or done.stdout.strip()}")
        return json.loads(done.stdout) if as_dict else done.stdout

    def apply(self, input: Path | str | dict[str, Any]) -> None:  # noqa: A002 - upstream's name
        """Apply a file or an object. Raises KubectlError."""
        if isinstance(input, dict):
            self.kubectl(["apply", "-f", "-"], as_dict=False, stdin=json.dumps(input))
        else:
            self.kubectl(["apply", "-f", input], as_dict=False)

    def ready(self, timeout: int = 20) -> bool:
        """Wait until the API server is ready and the default ServiceAccount exists."""
        deadline = time.monotonic() + timeout
        while self.kubeconfig is not None and self.kubeconfig.is_file() and self.kubeconfig.stat().st_size:
            try:
                self.kubectl(["get", "--raw", "/readyz"], as_dict=False)
                self.kubectl(["get", "serviceaccount", "default", "-n", "default"])
            except (KubectlError, subprocess.TimeoutExpired):
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.2)
            else:
                return True
        return False

    def run(self, name: str, arguments: list[str]) -> int:
        """Start one of our programs beside the cluster; it ends with it. Returns its process id."""
        if self._supervisor is None or self.layout is None:
            raise RuntimeError("the cluster has not been created")
        return self._supervisor.start(name, [self.binaries.path(name), *arguments], self.layout.logs / f"{name}.log")

    def start(self) -> None:
        """Make the cluster usable: the private folder and its supervisor, then the cluster itself."""
        self.layout = Layout(choose_scratch(self.settings.scratch))
        self._supervisor = Supervisor(self.layout.folder)
        self.layout.logs.mkdir()
        self.create(ClusterOptions(kubeconfig_path=self.kubeconfig or self.layout.kubeconfig("admin")), timeout=120)

    def stop(self) -> None:
        """Delete the cluster if it is ours, and end what was started beside it. May be called twice."""
        try:
            if self.layout is not None:
                self.delete()
        finally:
            if self._supervisor is not None:
                self._supervisor.close()
            self._supervisor = None
            self.layout = None

    def kwok_kubeconfig(self) -> Path | None:
        """Return the identity that kwok acts as."""
        path: Path | None = self.kubeconfig
        return path


class ControlPlaneManager(Manager):
    """The real control plane of `controlplane`, with an audit log; nodes and pods are kwok's."""

    plane: ControlPlane | None = None

    @classmethod
    def get_binary_name(cls) -> str:
        """Name the program that stands for the provider."""
        return "kube-apiserver"

    def _ensure_executable(self) -> None:
        self.binaries.control_plane()

    def start(self) -> None:
        """Start the control plane; it brings its own folder and supervisor."""
        self._on_create(self._cluster_options)

    def stop(self) -> None:
        """End it and remove its folder. May be called twice."""
        self._on_delete()

    def delete(self) -> None:
        """End it; upstream would also wait a second."""
        self._on_delete()

    def _on_create(self, cluster_options: ClusterOptions, **kwargs: Any) -> None:
        programs = {name: binary.path for name, binary in self.binaries.control_plane().items()}
        self.plane = ControlPlane(programs, lambda: choose_scratch(self.settings.scratch))
        self.layout = self.plane.start()
        self._supervisor = self.plane.supervisor
        self._cluster_options.kubeconfig_path = self.layout.kubeconfig(certificates.ADMIN.name)

    def _on_delete(self) -> None:
        if self.plane is not None:
            self.plane.stop()
        self.plane = None
        self.layout = None
        self._supervisor = None
        self._cluster_options.kubeconfig_path = None

    def load_image(self, image: str) -> None:
        """There is no container here that could use an image: nothing to do."""

    def kwok_kubeconfig(self) -> Path | None:
        """Return kwok's own identity, so that the audit log can tell it from the tests."""
        return self.layout.kubeconfig(certificates.KWOK.name) if self.layout is not None else None


class KindManager(Manager, KindManagerBase):  # type: ignore[misc]
    """A kind cluster of our own."""

    def _ensure_executable(self) -> None:
        if not self._exec_path.exists():
            raise InvalidSettingError("the provider 'kind' needs the program `kind` on PATH, and Docker")

    def _on_create(self, cluster_options: ClusterOptions, **kwargs: Any) -> None:
        self._exec(
            ["create", "cluster", "--name", self.cluster_name, "--kubeconfig", str(cluster_options.kubeconfig_path)],
            timeout=600,
        )


class ExternalManager(Manager, ExternalManagerBase):  # type: ignore[misc]
    """Somebody else's cluster: used, cleaned up, never deleted."""

    def _ensure_executable(self) -> None:
        if self.settings.kubeconfig is None or not self.settings.kubeconfig.is_file():
            raise InvalidSettingError(
                "the provider 'external' needs --cluster-kubeconfig or MODELPOOL_CLUSTER_KUBECONFIG to name a file, "
                f"got '{self.settings.kubeconfig}'"
            )

    def delete(self) -> None:
        """Leave the cluster and its kubeconfig alone."""


MANAGERS: dict[Provider, Callable[[Settings, Binaries], Manager]] = {
    Provider.CONTROLPLANE: ControlPlaneManager,
    Provider.KIND: KindManager,
    Provider.EXTERNAL: ExternalManager,
}
