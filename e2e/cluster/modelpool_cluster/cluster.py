"""What a test holds in its hands: one running cluster, its admin's tools, its fake GPU nodes, its audit log.

All calls block: from a coroutine use `asyncio.to_thread`. Called by `plugin` and the command line.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self

from . import audit, rest, waiting
from .binaries import Binaries
from .controlplane import kubeconfig, running
from .fakenodes import nodes
from .fakenodes.acting import POD_CIDR, FakeNodes
from .managers import MANAGERS, ControlPlaneManager, Manager
from .settings import Settings

STAGES = Path(nodes.__file__).with_name("stages.yaml")


class AuditUnavailableError(Exception):
    """This provider keeps no audit log."""


class Cluster(FakeNodes):
    """A running cluster. A context manager: leaving it stops all and removes every file."""

    def __init__(self, settings: Settings, binaries: Binaries) -> None:
        super().__init__()
        self.binaries = binaries
        """The resolved programs; `binaries.helm()` is a real helm."""
        self.manager = self._new_manager(settings, binaries)
        """pytest-kubernetes' manager: wait, port_forwarding, logs, version, load_image."""
        self._api: rest.Api | None = None

    def __enter__(self) -> Self:
        try:
            self.manager.start()
            self._api = rest.Api(self.kubeconfig)
            self._furnish()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the fake nodes away, stop everything, remove every file. May be called twice."""
        try:
            if self._api is not None and not isinstance(self.manager, ControlPlaneManager):
                for name in list(self._nodes):
                    self.remove_node(name)
        finally:
            if self._api is not None:
                self._api.close()
            self._api = None
            self.manager.stop()

    # -- the admin's tools -------------------------------------------------------------------------------------------

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig."""
        if self.manager.kubeconfig is None:
            raise RuntimeError("the cluster is not running")
        return Path(self.manager.kubeconfig)

    @property
    def folder(self) -> Path:
        """The private folder of this run; gone afterwards."""
        if self.manager.layout is None:
            raise RuntimeError("the cluster is not running")
        return self.manager.layout.folder

    @property
    def api(self) -> rest.Api:
        """A JSON client as admin."""
        if self._api is None:
            raise RuntimeError("the cluster is not running")
        return self._api

    def kubectl(self, *args: str | Path, stdin: str | None = None, timeout: int = 60) -> str:
        """Run kubectl as admin and return what it printed. Raises KubectlError."""
        return str(self.manager.kubectl(args, as_dict=False, timeout=timeout, stdin=stdin))

    def apply(self, *manifests: Path | Mapping[str, Any]) -> None:
        """`kubectl apply` files or objects as admin. Raises KubectlError."""
        for manifest in manifests:
            self.manager.apply(manifest if isinstance(manifest, Path) else dict(manifest))

    def kubeconfig_for(self, namespace: str, service_account: str, *, seconds: int = 3600) -> Path:
        """Return a new kubeconfig that holds a token of a ServiceAccount (TokenRequest) and nothing else.

        Raises ApiError.
        """
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token"
        token = self.api.create(path, request)["status"]["token"]
        admin = json.loads(self.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
        target = self.folder / f"{namespace}.{service_account}.{next(self._numbers)}.kubeconfig"
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # private from the start
        with os.fdopen(descriptor, "w") as file:
            json.dump(kubeconfig.with_token(admin, token=token, namespace=namespace), file)
        return target

    # -- what happened -----------------------------------------------------------------------------------------------

    @property
    def audit_log(self) -> Path:
        """The API server's record of all requests, JSON lines. Raises AuditUnavailableError."""
        log = self.manager.layout.audit_log if self.manager.layout is not None else None
        if log is None or not log.exists():
            raise AuditUnavailableError("only the providers 'controlplane' and 'node' keep an audit log")
        return log

    def audit_events(
        self,
        *,
        since: datetime.datetime | None = None,
        user: str | None = None,
        verbs: Collection[str] | None = None,
        namespace: str | None = None,
        resource: str | None = None,
    ) -> list[audit.AuditEvent]:
        """Return the requests that the API server answered. Raises AuditUnavailableError.

        `since` is an aware time (`datetime.now(UTC)` before the act); `user` such as
        `system:serviceaccount:llm:operator`; `verbs` such as `{"patch", "create"}`. What has been answered has been
        written.
        """
        return list(
            audit.read_events(
                self.audit_log, since=since, user=user, verbs=verbs, namespace=namespace, resource=resource
            )
        )

    def log_tails(self, lines: int = 15) -> list[str]:
        """Return the last lines of every component's log, each under a heading that names the file."""
        return running.tails(self.folder / "logs", lines)

    def keep_logs(self, target: Path) -> None:
        """Copy the components' logs, and the audit log where there is one, into a folder that outlives the run."""
        shutil.copytree(self.folder / "logs", target, dirs_exist_ok=True)
        if self.manager.layout is not None and self.manager.layout.audit_log.exists():
            shutil.copy(self.manager.layout.audit_log, target)

    @property
    def start_seconds(self) -> float:
        """What the control plane took to start; 0 for a cluster that was there."""
        plane = self.manager.plane if isinstance(self.manager, ControlPlaneManager) else None
        return plane.start_seconds if plane is not None else 0.0

    def processes(self) -> dict[str, int]:
        """Return the process ids of the control plane's programs, and of kwok, by name."""
        plane = self.manager.plane if isinstance(self.manager, ControlPlaneManager) else None
        return dict(plane.supervisor.pids) if plane is not None and plane.supervisor is not None else {}

    def resident_bytes(self) -> dict[str, int]:
        """Return the resident memory of each process of the control plane."""
        plane = self.manager.plane if isinstance(self.manager, ControlPlaneManager) else None
        return plane.resident_bytes() if plane is not None else {}

    # -- namespaces --------------------------------------------------------------------------------------------------

    def add_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        """Create a namespace and wait until pods may be made in it. Raises ApiError, TimeoutError."""
        metadata = {"name": name, "labels": dict(labels or {})}
        self.api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        waiting.wait_for(f"the default ServiceAccount of {name}", lambda: self.api.find(account))

    def remove_namespace(self, name: str) -> None:
        """Delete a namespace and wait until its pods are gone; the rest goes in its own time.

        Raises ApiError, TimeoutError.
        """
        self.api.delete(f"/api/v1/namespaces/{name}")

        def look() -> bool:  # Kubernetes itself would only begin after five seconds
            self.api.delete(f"/api/v1/namespaces/{name}/pods", gracePeriodSeconds="0")
            return not self.pods(name)

        waiting.wait_for(f"the end of the pods in {name}", look)

    def _new_manager(self, settings: Settings, binaries: Binaries) -> Manager:
        return MANAGERS[settings.provider](settings, binaries)

    def _furnish(self) -> None:
        """Make what tests count on: the RuntimeClass, the default StorageClass, and kwok to play nodes and pods."""
        for path, manifest in (
            ("/apis/node.k8s.io/v1/runtimeclasses", nodes.RUNTIME_CLASS_MANIFEST),
            ("/apis/storage.k8s.io/v1/storageclasses", nodes.STORAGE_CLASS_MANIFEST),
        ):
            if self.api.find(f"{path}/{manifest['metadata']['name']}") is None:
                self.api.create(path, manifest)
        self.manager.run(
            "kwok",
            [
                f"--kubeconfig={self.manager.kwok_kubeconfig()}",
                f"--config={STAGES}",
                "--manage-all-nodes=false",
                f"--manage-nodes-with-annotation-selector={nodes.MANAGED_ANNOTATION}=fake",
                f"--cidr={POD_CIDR}",
                "--node-port=0",
                "--node-lease-duration-seconds=0",
            ],
        )
