"""What a test holds in its hands: one running cluster, its admin's tools, its fake GPU nodes, its audit log.

All calls block: from a coroutine use `asyncio.to_thread`. Called by `plugin` and the command line.
"""

from __future__ import annotations

import datetime
import itertools
import json
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self

from . import audit, rest, waiting
from .binaries import Binaries
from .controlplane import kubeconfig, running
from .controlplane.components import POD_CIDR
from .fakenodes import nodes, pods
from .managers import MANAGERS, ControlPlaneManager
from .settings import Settings

STAGES = Path(nodes.__file__).with_name("stages.yaml")


class AuditUnavailableError(Exception):
    """This provider keeps no audit log."""


class Cluster:
    """A running cluster. A context manager: leaving it stops all and removes every file."""

    def __init__(self, settings: Settings, binaries: Binaries) -> None:
        self.binaries = binaries
        """The resolved programs; `binaries.helm()` is a real helm."""
        self.manager = MANAGERS[settings.provider](settings, binaries)
        """pytest-kubernetes' manager: wait, port_forwarding, logs, version, load_image."""
        self._api: rest.Api | None = None
        self._numbers = itertools.count(1)
        self._nodes: set[str] = set()

    def __enter__(self) -> Self:
        try:
            self.manager.start()
            self._api = rest.Api(self.kubeconfig)
            self._start_kwok()
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
        log = self.manager.layout.audit_log if self.manager.layout is not None else None
        if log is None or not log.exists():
            raise AuditUnavailableError("only the provider 'controlplane' keeps an audit log")
        return list(audit.read_events(log, since=since, user=user, verbs=verbs, namespace=namespace, resource=resource))

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

    def resident_bytes(self) -> dict[str, int]:
        """Return the resident memory of each process of the control plane."""
        plane = self.manager.plane if isinstance(self.manager, ControlPlaneManager) else None
        return plane.resident_bytes() if plane is not None else {}

    # -- namespaces --------------------------------------------------------------------------------------------------

    def add_namespace(self, name: str) -> None:
        """Create a namespace and wait until pods may be made in it. Raises ApiError, TimeoutError."""
        self.api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
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

    # -- nodes -------------------------------------------------------------------------------------------------------

    def add_gpu_node(
        self,
        name: str,
        *,
        gpus: int = 1,
        replicas: int = 1,
        memory_mib: int = 24576,
        product: str = "NVIDIA-GeForce-RTX-4090",
        resource_name: str = "nvidia.com/gpu",
        labels: Mapping[str, str] | None = None,
        held: bool = False,
    ) -> str:
        """Add a node with `gpus` cards, each shared into `replicas`; returns its name. Raises ApiError.

        Pods on it start and become ready at once. On a `held` node they are scheduled and then left to the test; its
        name gets the prefix `held-`. `gpus=0` makes a plain node.
        """
        name = f"{nodes.HELD_PREFIX}{name}" if held and not name.startswith(nodes.HELD_PREFIX) else name
        number = next(self._numbers)
        node = nodes.gpu_node(
            name,
            gpus=gpus,
            replicas=replicas,
            memory_mib=memory_mib,
            product=product,
            resource_name=resource_name,
            labels=labels or {},
            address=f"192.0.2.{number % 254 + 1}",
            now=_now(),
        )
        self.api.create("/api/v1/nodes", node)
        self._nodes.add(name)
        return name

    def remove_node(self, name: str) -> None:
        """Delete a node and, first, the pods on it: without a kubelet they would stay. Raises ApiError."""
        for pod in self.api.items("/api/v1/pods", fieldSelector=f"spec.nodeName={name}"):
            path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
            self.api.delete(path, gracePeriodSeconds="0")
        self.api.delete(f"/api/v1/nodes/{name}")
        self._nodes.discard(name)

    # -- pods --------------------------------------------------------------------------------------------------------

    def pods(self, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        """Return the pods of a namespace. Raises ApiError."""
        return self.api.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)

    def hold_pod(self, namespace: str, name: str) -> None:
        """Keep kwok from doing anything to a pod but delete it. Raises ApiError."""
        self.api.patch(_pod_path(namespace, name), pods.HOLD)

    def release_pod(self, namespace: str, name: str) -> None:
        """Give a pod back to kwok: one that is Pending starts. Raises ApiError."""
        self.api.patch(_pod_path(namespace, name), pods.RELEASE)

    def set_pod_ready(self, namespace: str, name: str, ready: bool, reason: str = "", message: str = "") -> None:
        """Let a pod run and be ready or not, as its readiness probes would.

        A pod that had not started gets an address.
        """
        pod = self._held(namespace, name)
        why = reason or ("" if ready else "ContainersNotReady")
        status = pods.readiness(pod, ready, reason=why, message=message, now=_now())
        if not pod.get("status", {}).get("podIP"):
            status["status"] |= pods.addresses(POD_CIDR, next(self._numbers))
        self.api.patch(f"{_pod_path(namespace, name)}/status", status)

    def set_container_waiting(
        self,
        namespace: str,
        name: str,
        reason: str,
        *,
        message: str = "",
        container: str | None = None,
        restarts: int | None = None,
        last_exit: Mapping[str, Any] | None = None,
    ) -> None:
        """Let a container of a pod (None: all) wait for a reason such as ImagePullBackOff or CrashLoopBackOff.

        `last_exit` is what its last run ended with, such as `{"exitCode": 137, "reason": "OOMKilled"}`; `message` in it
        is the termination message. A pod that crashes is Running, one that never started is Pending, as with a kubelet.
        """
        crashed = last_exit is not None or reason == "CrashLoopBackOff"
        status = pods.waiting(
            self._held(namespace, name),
            container,
            reason=reason,
            message=message,
            phase="Running" if crashed else "Pending",
            restarts=restarts if restarts is not None else (1 if crashed else None),
            last_exit=last_exit,
            now=_now(),
        )
        self.api.patch(f"{_pod_path(namespace, name)}/status", status)

    def fail_pod(self, namespace: str, name: str, reason: str, *, message: str = "", exit_code: int = 1) -> None:
        """Let a pod end with an error for good, such as Evicted. Raises ApiError."""
        status = pods.failure(
            self._held(namespace, name), reason=reason, message=message, exit_code=exit_code, now=_now()
        )
        self.api.patch(f"{_pod_path(namespace, name)}/status", status)

    def wait_until_ready(
        self, namespace: str, selector: str = "", *, count: int = 1, timeout: float = 60.0
    ) -> list[str]:
        """Wait until at least `count` pods are ready and no other is there; returns their names.

        Raises TimeoutError.
        """

        def look() -> list[str]:
            found = self.pods(namespace, selector)
            states = {pod["metadata"]["name"]: is_ready(pod) for pod in found}
            assert len(states) >= count, states
            assert all(states.values()), states
            return list(states)

        return waiting.wait_for(f"{count} ready pods of '{selector}'", look, timeout=timeout)

    def _held(self, namespace: str, name: str) -> dict[str, Any]:
        return self.api.patch(_pod_path(namespace, name), pods.HOLD)

    def _start_kwok(self) -> None:
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


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod says of itself that it is ready and is not going away."""
    conditions = pod.get("status", {}).get("conditions", ())
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def _pod_path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods/{name}"


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
