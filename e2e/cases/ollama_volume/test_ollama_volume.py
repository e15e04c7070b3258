"""What Ollama's volume holds, on a real API server with its Job controller: what is pulled, what is not, what goes.

The pods are played, so nothing is downloaded; that a Job's script asks Ollama the right thing is proved beside it.
"""

from typing import Any

import pytest

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.plugin import GpuNodes
from modelpool_cluster.rest import MERGE
from modelpool_under_test.processes.operator_program import Operator

pytestmark = pytest.mark.cluster

Object = dict[str, Any]


def models(*names: str) -> list[Object]:
    return [{"name": name, "engine": "ollama"} for name in names]


def create(cluster: Cluster, namespace: str, *names: str, **server: Any) -> str:
    pools = f"/apis/modelpool.dev/v1alpha1/namespaces/{namespace}/modelpools"
    spec = {"gpus": {"memory": "24Gi"}, "ollama": server, "models": models(*names)}
    body = {"apiVersion": "modelpool.dev/v1alpha1", "kind": "ModelPool", "metadata": {"name": "pool"}, "spec": spec}
    cluster.api.create(pools, body)
    return f"{pools}/pool"


def jobs(cluster: Cluster, namespace: str) -> dict[str, set[str]]:
    """Return the models of the pool's Jobs, by what the Jobs do."""
    found: dict[str, set[str]] = {}
    for job in cluster.api.items(f"/apis/batch/v1/namespaces/{namespace}/jobs"):
        metadata = job["metadata"]
        what = metadata["labels"]["app.kubernetes.io/name"]
        found.setdefault(what, set()).add(metadata["annotations"]["modelpool.dev/model-name"])
    return found


def wait_for(cluster: Cluster, operator: Operator, namespace: str, path: str, states: Object, left: Object) -> Object:
    """Wait until the models are in these states and these Jobs are left; return the models of the status."""

    def look() -> Object:
        operator.program.assert_alive()
        found = {one["name"]: one for one in (cluster.api.get(path).get("status") or {}).get("models", ())}
        assert {name: one["state"] for name, one in found.items()} == states, found
        assert jobs(cluster, namespace) == left, jobs(cluster, namespace)
        return found

    return waiting.wait_for(f"{states} with {left}", look, timeout=90)


def test_a_model_that_leaves_a_pool_that_prunes_is_removed_and_then_forgotten(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    gpu_node()
    path = create(cluster, namespace, "qwen3:8b", "cogito:8b", prune=True)
    both = {"qwen3:8b", "cogito:8b"}
    wait_for(cluster, operator, namespace, path, dict.fromkeys(both, "Ready"), {"pull": both})

    cluster.api.patch(path, {"spec": {"models": models("qwen3:8b")}}, MERGE)
    wait_for(cluster, operator, namespace, path, {"qwen3:8b": "Ready"}, {"pull": {"qwen3:8b"}})
    made = [write for write in operator.writes() if write.startswith("patch jobs/pool-remove-cogito-8b-")]
    assert len(made) == 1, made


def test_a_model_that_leaves_another_pool_leaves_its_files(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    gpu_node()
    path = create(cluster, namespace, "qwen3:8b", "cogito:8b")
    both = {"qwen3:8b", "cogito:8b"}
    wait_for(cluster, operator, namespace, path, dict.fromkeys(both, "Ready"), {"pull": both})
    cluster.api.patch(path, {"spec": {"models": models("qwen3:8b")}}, MERGE)
    wait_for(cluster, operator, namespace, path, {"qwen3:8b": "Ready"}, {"pull": {"qwen3:8b"}})
    assert not [write for write in operator.writes() if "remove" in write]


def test_what_the_volume_cannot_hold_is_not_begun_and_the_rest_is_served(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    gpu_node()
    path = create(cluster, namespace, "llama3.3:70b", "qwen3:8b", storage={"size": "20Gi"})
    states = {"llama3.3:70b": "Failed", "qwen3:8b": "Ready"}
    found = wait_for(cluster, operator, namespace, path, states, {"pull": {"qwen3:8b"}})
    refused = found["llama3.3:70b"]
    assert refused["reason"] == "VolumeTooSmall"
    assert refused["message"].startswith("llama3.3:70b takes 43.0 GB of disk, and the volume of 21.5 GB has ")
