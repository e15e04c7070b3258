"""`sharing: auto` against a real API server and scheduler: what nodes offer is chosen, said, and kept."""

from typing import Any

import pytest
from sharing_modes_devices import DRA, published

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.plugin import GpuNodes
from modelpool_cluster.rest import MERGE
from modelpool_under_test.processes.operator_program import Operator

pytestmark = pytest.mark.cluster

Object = dict[str, Any]
MODELS = [
    {"name": name, "engine": "vllm", "source": "hf://Qwen/Qwen3-0.6B", "gpuMemoryFraction": 0.3} for name in ("a", "b")
]


def create(cluster: Cluster, namespace: str, node: str, **gpus: Any) -> str:
    """Make a pool that leaves the way of sharing open, and return its path."""
    pools = f"/apis/modelpool.dev/v1alpha1/namespaces/{namespace}/modelpools"
    spec = {
        "gpus": {"sharing": "auto", **gpus},
        "nodeSelector": {"kubernetes.io/hostname": node},
        "ollama": {"enabled": False},
        "models": MODELS,
    }
    body = {"apiVersion": "modelpool.dev/v1alpha1", "kind": "ModelPool", "metadata": {"name": "pool"}, "spec": spec}
    cluster.api.create(pools, body)
    return f"{pools}/pool"


def wait_for(cluster: Cluster, operator: Operator, path: str, what: str, **want: Any) -> Object:
    """Wait until the status has these values, and return it."""

    def look() -> Object:
        operator.program.assert_alive()
        status = dict(cluster.api.get(path).get("status") or {})
        assert {key: status.get(key) for key in want} == want, status
        return status

    return waiting.wait_for(what, look)


def condition(status: Object, kind: str) -> Object:
    return next((one for one in status["conditions"] if one["type"] == kind), {})


def containers(cluster: Cluster, namespace: str) -> list[Object]:
    return [pod["spec"]["containers"][0] for pod in cluster.pods(namespace)]


def test_claims_are_chosen_where_the_driver_is_and_its_devices_say_how_large_they_are(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    # The label says 12 GiB, the driver 11: under DRA the driver counts.
    node = gpu_node(gpus=2, memory_mib=12288)
    with published(cluster, node, count=2, memory="11Gi"):
        path = create(cluster, namespace, node, count=2)
        status = wait_for(cluster, operator, path, "two ready models", readyModels="2/2")
        evidence = f"DeviceClass gpu.nvidia.com, and 2 devices of that driver on node {node}"
        assert status["sharing"] == {"mode": "dra", "evidence": evidence}
        assert condition(status, "Planned")["message"].startswith(f"2 models planned; sharing is 'dra': {evidence}")
        assert [card["memory"] for card in status["gpus"]] == ["11.0Gi", "11.0Gi"]
        assert len(cluster.api.items(f"{DRA}/namespaces/{namespace}/resourceclaims")) == 2

        # A pool that says otherwise is contradicted by the driver.
        cluster.api.patch(path, {"spec": {"gpus": {"sharing": "dra", "memory": "12Gi"}}}, MERGE)

        def contradicted() -> bool:
            found = condition(dict(cluster.api.get(path)["status"]), "Degraded")
            assert found["reason"] == "CardMemoryMismatch", found
            assert found["message"] == f"`gpus.memory` says 12.00Gi, but a card of node {node} has 11.00Gi"
            return True

        waiting.wait_for("the contradiction", contradicted)


def test_replicas_are_chosen_where_the_plugin_offers_them_and_a_driver_that_comes_later_changes_nothing(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    node = gpu_node(gpus=1, replicas=4, memory_mib=24576, resource_name="nvidia.com/gpu.shared")
    path = create(cluster, namespace, node)
    status = wait_for(cluster, operator, path, "two ready models", readyModels="2/2")
    chosen = {
        "mode": "timeSlicing",
        "evidence": f"node {node} offers 4 replicas of nvidia.com/gpu.shared",
        "resourceName": "nvidia.com/gpu.shared",
    }
    assert status["sharing"] == chosen
    assert [card["memory"] for card in status["gpus"]] == ["24.0Gi"]
    limits = [container["resources"]["limits"] for container in containers(cluster, namespace)]
    assert limits == [{"nvidia.com/gpu.shared": "1"}] * 2

    with published(cluster, node, count=1, memory="24Gi"):
        before, pods = operator.passes(), {pod["metadata"]["uid"] for pod in cluster.pods(namespace)}
        cluster.api.patch(path, {"metadata": {"annotations": {"example.com/touched": "yes"}}}, MERGE)
        waiting.wait_for("another pass", lambda: operator.passes() > before)
        assert wait_for(cluster, operator, path, "the same", readyModels="2/2")["sharing"] == chosen
        assert {pod["metadata"]["uid"] for pod in cluster.pods(namespace)} == pods


def test_where_nothing_is_offered_the_condition_says_what_was_looked_for(
    cluster: Cluster, namespace: str, operator: Operator
) -> None:
    path = create(cluster, namespace, "no-such-node")

    def refused() -> bool:
        operator.program.assert_alive()
        planned = condition(
            {"conditions": [{"type": "Planned"}], **(cluster.api.get(path).get("status") or {})}, "Planned"
        )
        assert (planned.get("status"), planned.get("reason")) == ("False", "NoSharingOffered"), planned
        for missed in ("dra: no DeviceClass", "hami: no node", "timeSlicing: no node", "exclusive: no node"):
            assert missed in planned["message"]
        return True

    waiting.wait_for("the refusal", refused)
    assert cluster.pods(namespace) == []
