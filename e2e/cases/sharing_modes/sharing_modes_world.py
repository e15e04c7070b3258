"""Pools and pods that are nobody's on nodes of the real scheduler, and what they hold of each card."""

from typing import Any, Final

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.rest import MERGE
from modelpool_under_test.processes.operator_program import Operator

Object = dict[str, Any]
GIB: Final = 1024**3
GPU: Final = "nvidia.com/gpu"
PERCENT: Final = "nvidia.com/gpumem-percentage"


class World:
    """One namespace."""

    def __init__(self, cluster: Cluster, namespace: str, operator: Operator) -> None:
        self._cluster, self._namespace, self._operator = cluster, namespace, operator
        self._pools = f"/apis/modelpool.dev/v1alpha1/namespaces/{namespace}/modelpools"

    def pool(self, name: str, node: str, fraction: float, **gpus: Any) -> None:
        """Make a pool of one model, pinned to a node."""
        model = {"name": f"{name}:1", "engine": "vllm", "source": "hf://Qwen/Qwen3-0.6B", "gpuMemoryFraction": fraction}
        spec = {
            "gpus": {"memory": "24Gi", **gpus},
            "nodeSelector": {"kubernetes.io/hostname": node},
            "ollama": {"enabled": False},
            "models": [model],
        }
        body = {"apiVersion": "modelpool.dev/v1alpha1", "kind": "ModelPool", "metadata": {"name": name}, "spec": spec}
        self._cluster.api.create(self._pools, body)

    def stranger(self, name: str, node: str, claim: str | None = None, **limits: str) -> None:
        """Make a pod that is nobody's, and wait until the scheduler has bound it."""
        path = f"/api/v1/namespaces/{self._namespace}/pods"
        container = {"name": "main", "image": "none", "resources": {"limits": limits}}
        spec: Object = {"containers": [container], "nodeSelector": {"kubernetes.io/hostname": node}}
        if claim is not None:
            container["resources"] = {"claims": [{"name": "card"}]}
            spec["resourceClaims"] = [{"name": "card", "resourceClaimName": claim}]
        self._cluster.api.create(path, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
        waiting.wait_for(
            f"pod {name} to be bound", lambda: self._cluster.api.get(f"{path}/{name}")["spec"].get("nodeName")
        )

    def claim(self, name: str) -> str:
        """Make a claim of one card that is nobody's."""
        request = {"name": "gpu", "exactly": {"deviceClassName": "gpu.nvidia.com"}}
        body = {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceClaim",
            "metadata": {"name": name},
            "spec": {"devices": {"requests": [request]}},
        }
        self._cluster.api.create(f"/apis/resource.k8s.io/v1/namespaces/{self._namespace}/resourceclaims", body)
        return name

    def offer(self, node: str, resource: str, amount: int) -> None:
        """Let a node offer more of an extended resource."""
        more = {resource: str(amount)}
        self._cluster.api.patch(
            f"/api/v1/nodes/{node}/status", {"status": {"capacity": more, "allocatable": more}}, MERGE
        )

    def end(self, *, pod: str = "", pool: str = "") -> None:
        """Delete a pod or a pool."""
        if pod:
            self._cluster.api.delete(f"/api/v1/namespaces/{self._namespace}/pods/{pod}", gracePeriodSeconds="0")
        if pool:
            self._cluster.api.delete(f"{self._pools}/{pool}")

    def wait_until_planned(self, name: str) -> None:
        """Wait until a pool has a plan."""

        def look() -> bool:
            self._operator.program.assert_alive()
            assert self._condition(name).get("status") == "True", self._condition(name)
            return True

        waiting.wait_for(f"{name} to be planned", look)

    def wait_until_ready(self, *names: str, timeout: float = 60.0) -> None:
        """Wait until these pools are answered by their own engines."""

        def look() -> bool:
            self._operator.program.assert_alive()
            states = {name: self._status(name).get("readyModels") for name in names}
            assert set(states.values()) == {"1/1"}, {name: self._condition(name) for name in names}
            return True

        waiting.wait_for(f"{', '.join(names)} to be ready", look, timeout=timeout)

    def wait_until_refused(self, name: str, *holders: str) -> str:
        """Wait until a pool is refused and its message names who holds the card; return it."""

        def look() -> str:
            self._operator.program.assert_alive()
            planned = self._condition(name)
            assert (planned.get("status"), planned.get("reason")) == ("False", "CardHeld"), planned
            assert all(holder in planned["message"] for holder in holders), planned["message"]
            return str(planned["message"])

        return waiting.wait_for(f"{name} to be refused", look)

    def message(self, name: str) -> str:
        """Return what the condition Planned of a pool says."""
        return str(self._condition(name).get("message"))

    @staticmethod
    def of(fraction: float) -> int:
        """Return what an engine with this share of a card holds of it, its context included."""
        return int(fraction * 24 * GIB) + GIB // 2

    def held(self, node: str) -> dict[str, int]:
        """Return the bytes that each engine on a node may take, of pods that are there."""
        return {
            f"{pod['metadata']['labels']['modelpool.dev/pool']} on {annotations['modelpool.dev/gpu']}": int(
                annotations["modelpool.dev/gpu-memory"]
            )
            for pod in self._cluster.pods(self._namespace)
            if pod["spec"].get("nodeName") == node
            and "modelpool.dev/gpu-memory" in (annotations := pod["metadata"].get("annotations") or {})
        }

    def _status(self, name: str) -> Object:
        return dict(self._cluster.api.get(f"{self._pools}/{name}").get("status") or {})

    def _condition(self, name: str) -> Object:
        return next((one for one in self._status(name).get("conditions", ()) if one["type"] == "Planned"), {})
