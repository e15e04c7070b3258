"""Names of one slug, Deployments of an older operator, and volumes that outlive their pool, on a real API server."""

import copy
from typing import Final

import pytest

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.plugin import GpuNodes
from modelpool_under_test.processes.installation import Installation
from modelpool_under_test.processes.operator_program import Operator
from modelpool_under_test.processes.pools import Object, Pool, small

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

MODEL: Final = "modelpool.dev/model"


def selectors(pool: Pool) -> dict[str, str]:
    """Return by which label each Deployment finds its pods."""
    return {
        one["metadata"]["name"]: one["spec"]["selector"]["matchLabels"][MODEL] for one in pool.children(["Deployment"])
    }


def test_a_model_may_be_renamed_to_another_name_of_its_slug(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    gpu_node(replicas=4)
    pool = Pool.create(cluster, namespace, small())
    pool.wait_ready("2/2")

    def rename(spec: Object) -> None:
        spec["models"][1]["name"] = "model:1"

    pool.edit(rename)
    waiting.wait_for("the new engine", lambda: pool.model("model:1").get("state") == "Ready", timeout=90)
    pool.wait_ready("2/2")
    assert pool.conditions()["Degraded"]["status"] == "False"
    assert len(selectors(pool)) == len(set(selectors(pool).values())) == 2
    assert "small-model-1" not in selectors(pool)


def test_a_deployment_of_an_older_operator_is_made_anew_after_its_pods(
    cluster: Cluster, gpu_node: GpuNodes, installation: Installation, namespace: str
) -> None:
    gpu_node(replicas=4)
    with installation.operator():
        pool = Pool.create(cluster, namespace, small())
        pool.wait_ready("2/2")
        wanted = selectors(pool)
    (one,) = (child for child in pool.children(["Deployment"]) if child["metadata"]["name"] == "small-model-1")
    folder = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    cluster.api.delete(f"{folder}/small-model-1", propagationPolicy="Foreground")
    waiting.wait_for("its end", lambda: "small-model-1" not in selectors(pool), timeout=90)
    older = copy.deepcopy(one)
    for field in ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"):
        older["metadata"].pop(field, None)
    older.pop("status", None)
    for labels in (older["spec"]["selector"]["matchLabels"], older["spec"]["template"]["metadata"]["labels"]):
        labels[MODEL] = "an-older-label"
    cluster.api.create(folder, older)
    waiting.wait_for("its pod", lambda: bool(pool.pods("vllm", "model-1")))
    with installation.operator():
        waiting.wait_for("the selector of today", lambda: selectors(pool) == wanted, timeout=90)
        pool.wait_ready("2/2")
        assert pool.conditions()["Degraded"]["status"] == "False"
    assert len(pool.pods("vllm", "model-1")) == 1


def test_a_retained_volume_outlives_its_pool_and_is_taken_up_again(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    gpu_node(replicas=4)
    claim = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/small-cache"

    def kept() -> Object:
        metadata: Object = cluster.api.get(claim)["metadata"]
        assert "ownerReferences" not in metadata, metadata
        return metadata

    pool = Pool.create(cluster, namespace, small())
    pool.wait_ready("2/2")
    assert "ownerReferences" in cluster.api.get(claim)["metadata"]

    def retain(spec: Object) -> None:
        spec.setdefault("cache", {})["onDelete"] = "Retain"

    pool.edit(retain)
    uid = waiting.wait_for("a claim without an owner", kept)["uid"]
    cluster.api.delete(pool.path)
    waiting.wait_for(
        "the end of the children", lambda: pool.names() == {"PersistentVolumeClaim small-cache"}, timeout=90
    )
    again = Pool.create(cluster, namespace, small(cache={"onDelete": "Retain"}))
    again.wait_ready("2/2")
    assert again.conditions()["Degraded"]["status"] == "False", again.conditions()
    assert kept()["uid"] == uid
