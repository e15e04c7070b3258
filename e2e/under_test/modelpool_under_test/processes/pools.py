"""A ModelPool in a test's hands: made of an example, changed, looked at. The test acts as the cluster's admin."""

import copy
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

import yaml

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.rest import MERGE

from .installation import EXAMPLES
from .operator_program import Operator

Object = dict[str, Any]

KINDS: Final = {
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "Service": "/api/v1/namespaces/{}/services",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
}
QUIET_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One ModelPool of the test's namespace."""

    cluster: Cluster
    namespace: str
    name: str

    @classmethod
    def create(cls, cluster: Cluster, namespace: str, body: Object) -> Self:
        """Make a ModelPool."""
        cluster.api.create(_pools(namespace), body)
        return cls(cluster=cluster, namespace=namespace, name=body["metadata"]["name"])

    @property
    def path(self) -> str:
        """The pool's path on the API server."""
        return f"{_pools(self.namespace)}/{self.name}"

    def get(self) -> Object:
        """Return the pool as it is."""
        return self.cluster.api.get(self.path)

    def status(self) -> Object:
        """Return its status; empty when there is none yet."""
        return dict(self.get().get("status") or {})

    def conditions(self) -> dict[str, Object]:
        """Return its conditions by type."""
        return {condition["type"]: condition for condition in self.status().get("conditions", ())}

    def model(self, name: str) -> Object:
        """Return what its status says of a model; empty when nothing yet."""
        return next((model for model in self.status().get("models", ()) if model["name"] == name), {})

    def children(self, kinds: Iterable[str] = tuple(KINDS)) -> list[Object]:
        """Return the objects with the pool's label, with apiVersion and kind."""
        found = []
        for kind in kinds:
            path = KINDS[kind].format(self.namespace)
            version = "v1" if path.startswith("/api/") else "/".join(path.split("/")[2:4])
            items = self.cluster.api.items(path, labelSelector=f"modelpool.dev/pool={self.name}")
            found += [{"apiVersion": version, "kind": kind, **item} for item in items]
        return found

    def names(self, kinds: Iterable[str] = tuple(KINDS)) -> set[str]:
        """Return its children as `Kind name`."""
        return {f"{one['kind']} {one['metadata']['name']}" for one in self.children(kinds)}

    def pods(self, component: str, model: str | None = None) -> list[Object]:
        """Return its pods of a component (vllm, ollama, pull), of one model where that is said."""
        selector = f"modelpool.dev/pool={self.name},app.kubernetes.io/name={component}"
        found = self.cluster.pods(self.namespace, selector)
        living = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
        return [
            pod for pod in living if model in (None, pod["metadata"]["annotations"].get("modelpool.dev/model-name"))
        ]

    def pod(self, component: str, model: str | None = None) -> str:
        """Wait for the one pod of a component, scheduled to a node, and return its name."""

        def look() -> str:
            pods = self.pods(component, model)
            assert [bool(pod["spec"].get("nodeName")) for pod in pods] == [True], [pod["status"] for pod in pods]
            return str(pods[0]["metadata"]["name"])

        return waiting.wait_for(f"one scheduled {component} pod of {model or 'the pool'}", look)

    def edit(self, change: Callable[[Object], None]) -> None:
        """Change the spec as a person with an editor does."""
        body = self.get()
        spec = copy.deepcopy(body["spec"])
        change(spec)
        self.cluster.api.patch(self.path, {"spec": spec}, MERGE)

    def wait_ready(self, models: str) -> None:
        """Wait until the pool is Ready with so many models, as in `3/3`."""

        def look() -> bool:
            status = self.status()
            ready = self.conditions().get("Ready", {})
            assert (ready.get("status"), status.get("readyModels")) == ("True", models), status
            return True

        waiting.wait_for(f"{self.name} Ready with {models}", look, timeout=90)

    def settle(self, operator: Operator) -> None:
        """Wait until the operator has written nothing for a while."""

        def look() -> bool:
            operator.program.assert_alive()
            since = datetime.fromtimestamp(time.time() - QUIET_SECONDS, tz=UTC)
            writes = operator.writes(since)
            assert writes == [], writes
            return True

        time_to_write = datetime.now(UTC)
        waiting.wait_for("a first write of the operator", lambda: operator.writes() or None)
        waiting.wait_for(
            "the operator's rest",
            lambda: (datetime.now(UTC) - time_to_write).total_seconds() > QUIET_SECONDS and look(),
        )

    def pass_over(self, operator: Operator) -> datetime:
        """Have the operator look at the pool once more, and return when that was asked for."""
        before, asked = operator.passes(), datetime.now(UTC)
        self.cluster.api.patch(self.path, {"metadata": {"annotations": {"example.com/touched": str(asked)}}}, MERGE)
        waiting.wait_for("another pass", lambda: operator.passes() > before)
        return asked


def example(name: str) -> Object:
    """Return the manifest of an example."""
    found: Object = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    return found


def small(name: str = "small", *, models: int = 2, **spec: Any) -> Object:
    """Return a ModelPool with some vLLM models on one card, each with a tenth of it, and without a fallback."""
    return {
        "apiVersion": "modelpool.dev/v1alpha1",
        "kind": "ModelPool",
        "metadata": {"name": name},
        "spec": {
            "gpus": {"memory": "24Gi"},
            "ollama": {"enabled": False},
            "models": [
                {
                    "name": f"model-{number}",
                    "engine": "vllm",
                    "source": f"hf://example/model-{number}",
                    "gpuMemoryFraction": 0.1,
                }
                for number in range(models)
            ],
            **spec,
        },
    }


def _pools(namespace: str) -> str:
    return f"/apis/modelpool.dev/v1alpha1/namespaces/{namespace}/modelpools"
