"""One ResourceClaim per card, decided by the real scheduler: a node with two devices, and no driver but their slice."""

from typing import Any

import pytest
from sharing_modes_devices import DRA, published

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.plugin import GpuNodes
from modelpool_under_test.processes.operator_program import Operator

pytestmark = pytest.mark.cluster

Object = dict[str, Any]


def pool(node: str, *models: Object, count: int) -> Object:
    return {
        "apiVersion": "modelpool.dev/v1alpha1",
        "kind": "ModelPool",
        "metadata": {"name": "pool"},
        "spec": {
            "gpus": {"sharing": "dra", "count": count, "memory": "12Gi"},
            "nodeSelector": {"kubernetes.io/hostname": node},
            "ollama": {"enabled": False},
            "models": list(models),
        },
    }


def model(name: str, gpu: int) -> Object:
    source = "hf://Qwen/Qwen3-0.6B"
    return {"name": name, "engine": "vllm", "source": source, "gpuMemoryFraction": 0.3, "gpu": gpu}


def status_of(cluster: Cluster, namespace: str) -> Object:
    found = cluster.api.get(f"/apis/modelpool.dev/v1alpha1/namespaces/{namespace}/modelpools/pool")
    return dict(found.get("status") or {})


def state_of(cluster: Cluster, namespace: str, name: str) -> Object:
    return next((one for one in status_of(cluster, namespace).get("models", ()) if one["name"] == name), {})


def claims(cluster: Cluster, namespace: str) -> dict[str, Object]:
    found = cluster.api.items(f"{DRA}/namespaces/{namespace}/resourceclaims")
    return {claim["metadata"]["name"]: claim for claim in found}


def device_of(claim: Object) -> tuple[str, str]:
    (result,) = claim["status"]["allocation"]["devices"]["results"]
    return result["pool"], result["device"]


def test_pods_of_a_card_share_its_device_and_a_third_card_is_not_there(
    cluster: Cluster, two_cards: str, namespace: str, operator: Operator
) -> None:
    models = [model("a", 0), model("b", 0), model("c", 1), model("d", 1), model("third", 2)]
    pools = f"/apis/modelpool.dev/v1alpha1/namespaces/{namespace}/modelpools"
    cluster.api.create(pools, pool(two_cards, *models, count=3))

    def look() -> bool:
        operator.program.assert_alive()
        states = {one["name"]: one["state"] for one in status_of(cluster, namespace).get("models", ())}
        assert states == {**dict.fromkeys("abcd", "Ready"), "third": "Unschedulable"}, states
        return True

    waiting.wait_for("four ready models, and one without a card", look)

    # Two claims, two devices, and both pods of a card in each claim's book.
    found = claims(cluster, namespace)
    assert set(found) == {"pool-gpu-0", "pool-gpu-1", "pool-gpu-2"}
    assert {device_of(found["pool-gpu-0"]), device_of(found["pool-gpu-1"])} == {
        (two_cards, "gpu-0"),
        (two_cards, "gpu-1"),
    }
    by_model: dict[str, list[str]] = {}
    for pod in cluster.pods(namespace):
        named = pod["metadata"]["annotations"]["modelpool.dev/model-name"]
        by_model.setdefault(named, []).append(pod["metadata"]["name"])
    for card, sharers in (("pool-gpu-0", "ab"), ("pool-gpu-1", "cd")):
        reserved = {user["name"] for user in found[card]["status"]["reservedFor"]}
        assert reserved == {pod for name in sharers for pod in by_model[name]}

    # The third card's model says in the scheduler's words what is missing.
    assert "cannot allocate all claims" in state_of(cluster, namespace, "third")["message"]
    assert "allocation" not in (found["pool-gpu-2"].get("status") or {})
    degraded = next(one for one in status_of(cluster, namespace)["conditions"] if one["type"] == "Degraded")
    assert (degraded["status"], degraded["reason"]) == ("True", "Unschedulable")
    assert "third" in degraded["message"]

    # Without that model the pool is whole, and the claim that nobody names is gone.
    spec = pool(two_cards, *models[:4], count=2)["spec"]
    cluster.api.patch(f"{pools}/pool", {"spec": spec}, "application/merge-patch+json")

    def whole() -> bool:
        operator.program.assert_alive()
        assert status_of(cluster, namespace).get("readyModels") == "4/4", status_of(cluster, namespace)
        assert set(claims(cluster, namespace)) == {"pool-gpu-0", "pool-gpu-1"}
        return True

    waiting.wait_for("four of four models", whole)
    after = claims(cluster, namespace)
    for card in ("pool-gpu-0", "pool-gpu-1"):
        assert after[card]["metadata"]["resourceVersion"] == found[card]["metadata"]["resourceVersion"]


def test_cards_that_claims_may_share_are_still_one_for_each_claim(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    """Consumable capacity: the scheduler could give both claims the same card, were they not to ask for all of it."""
    node = gpu_node(gpus=2, memory_mib=12288)
    with published(cluster, node, count=2, memory="12Gi", shared=True):
        pools = f"/apis/modelpool.dev/v1alpha1/namespaces/{namespace}/modelpools"
        models = [model("a", 0), model("b", 0), model("c", 1)]
        cluster.api.create(pools, pool(node, *models, count=2))

        def look() -> bool:
            operator.program.assert_alive()
            assert status_of(cluster, namespace).get("readyModels") == "3/3", status_of(cluster, namespace)
            return True

        waiting.wait_for("three ready models", look)
        found = claims(cluster, namespace)
        devices = {name: device_of(claim) for name, claim in found.items()}
        assert devices.keys() == {"pool-gpu-0", "pool-gpu-1"}
        assert len(set(devices.values())) == 2, devices
        (result,) = found["pool-gpu-0"]["status"]["allocation"]["devices"]["results"]
        assert result["consumedCapacity"] == {"memory": "12Gi"}
