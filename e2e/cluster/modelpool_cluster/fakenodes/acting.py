"""What a test does with fake GPU nodes and the pods on them, through the API as admin. `cluster` extends it.

All calls block, and raise ApiError when the API server refuses.
"""

from __future__ import annotations

import abc
import datetime
import itertools
from collections.abc import Mapping
from typing import Any

from .. import rest, waiting
from . import nodes, pods

POD_CIDR = "10.64.0.1/16"
"""Pods get addresses from here. Not loopback: EndpointSlices refuse that."""


class FakeNodes(abc.ABC):
    """Nodes and pods that are played; knows of the cluster only its API."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._nodes: set[str] = set()

    @property
    @abc.abstractmethod
    def api(self) -> rest.Api:
        """A JSON client as admin."""

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
        """Add a node with `gpus` cards, each shared into `replicas`; returns its name.

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
        """Delete a node and, first, the pods on it: without a kubelet they would stay."""
        for pod in self.api.items("/api/v1/pods", fieldSelector=f"spec.nodeName={name}"):
            path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
            self.api.delete(path, gracePeriodSeconds="0")
        self.api.delete(f"/api/v1/nodes/{name}")
        self._nodes.discard(name)

    # -- pods --------------------------------------------------------------------------------------------------------

    def pods(self, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        """Return the pods of a namespace."""
        return self.api.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)

    def hold_pod(self, namespace: str, name: str) -> None:
        """Keep kwok from doing anything to a pod but delete it."""
        self.api.patch(_pod_path(namespace, name), pods.HOLD)

    def release_pod(self, namespace: str, name: str) -> None:
        """Give a pod back to kwok: one that is Pending starts."""
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
        """Let a pod end with an error for good, such as Evicted."""
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


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod says of itself that it is ready and is not going away."""
    conditions = pod.get("status", {}).get("conditions", ())
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def _pod_path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods/{name}"


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
