"""What happens to a pool in its life, on the real control plane: each with the words that its user reads."""

import subprocess
from datetime import UTC, datetime

import pytest

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.plugin import GpuNodes
from modelpool_under_test.processes.installation import Installation
from modelpool_under_test.processes.operator_program import Operator
from modelpool_under_test.processes.pools import Object, Pool, small

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


@pytest.fixture
def pool(cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator) -> Pool:
    """Two ready vLLM models on one card, and an operator at rest."""
    node = gpu_node(replicas=4)
    pool = Pool.create(cluster, namespace, small(nodeSelector={"kubernetes.io/hostname": node}))
    pool.wait_ready("2/2")
    pool.settle(operator)
    return pool


def events(pool: Pool, reason: str) -> list[str]:
    found = pool.cluster.api.items(
        f"/api/v1/namespaces/{pool.namespace}/events", fieldSelector="involvedObject.kind=ModelPool"
    )
    return [event["message"] for event in found if event["reason"] == reason]


def writes_but_status(operator: Operator, since: datetime) -> list[str]:
    return sorted(write for write in operator.writes(since) if not write.endswith("/status"))


def uids(pool: Pool, model: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in pool.pods("vllm", model)}


def test_an_edit_by_hand_is_put_back_and_an_event_names_who_did_it(pool: Pool, operator: Operator) -> None:
    flags = (f"--namespace={pool.namespace}", "--field-manager=carol")
    pool.cluster.kubectl("set", "env", "deployment/small-model-0", "HF_HOME=/elsewhere", *flags)
    pool.cluster.kubectl("scale", "deployment/small-model-1", "--replicas=3", f"--namespace={pool.namespace}")

    def said() -> list[str]:
        found = events(pool, "ChildPutBack")
        assert any("Deployment small-model-0" in one and "'carol'" in one for one in found), found
        assert any("/spec/replicas was changed by 'kubectl'" in one for one in found), found
        return found

    print(waiting.wait_for("the Events", said))
    path = f"/apis/apps/v1/namespaces/{pool.namespace}/deployments"
    waiting.wait_for("one replica", lambda: pool.cluster.api.get(f"{path}/small-model-1")["spec"]["replicas"] == 1)
    (container,) = pool.cluster.api.get(f"{path}/small-model-0")["spec"]["template"]["spec"]["containers"]
    assert {"name": "HF_HOME", "value": "/cache/huggingface"} in container["env"]
    pool.wait_ready("2/2")


def test_a_child_deleted_by_hand_is_made_again_once(pool: Pool, operator: Operator) -> None:
    began = datetime.now(UTC)
    pool.cluster.kubectl("delete", "service/small-model-0", f"--namespace={pool.namespace}")
    waiting.wait_for("a new Service", lambda: "Service small-model-0" in pool.names(["Service"]))
    pool.settle(operator)
    assert writes_but_status(operator, began) == ["patch services/small-model-0"]


def test_a_renamed_model_is_another_one_and_its_neighbour_is_not_touched(pool: Pool, operator: Operator) -> None:
    kept, began = uids(pool, "model-0"), datetime.now(UTC)

    def rename(spec: Object) -> None:
        spec["models"][1]["name"] = "renamed"

    pool.edit(rename)
    waiting.wait_for("the new engine", lambda: pool.model("renamed").get("state") == "Ready", timeout=90)
    waiting.wait_for("the end of the old one", lambda: not pool.pods("vllm", "model-1"))
    pool.wait_ready("2/2")
    pool.settle(operator)
    assert uids(pool, "model-0") == kept
    assert pool.names(["Deployment"]) == {"Deployment small-model-0", "Deployment small-renamed"}
    assert not [write for write in operator.writes(began) if "small-model-0" in write]


def test_a_pool_moves_to_another_node_by_its_selector(
    cluster: Cluster, pool: Pool, gpu_node: GpuNodes, operator: Operator
) -> None:
    other = gpu_node(replicas=4)

    def move(spec: Object) -> None:
        spec["nodeSelector"] = {"kubernetes.io/hostname": other}

    pool.edit(move)

    def moved() -> bool:
        found = {pod["spec"].get("nodeName") for pod in pool.pods("vllm")}
        assert found == {other}, (found, pool.conditions())
        return True

    waiting.wait_for("all engines on the other node", moved, timeout=90)
    pool.wait_ready("2/2")


def test_a_deleted_node_lets_the_engines_start_elsewhere(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    gpu_node(gpus=0)
    first = gpu_node(replicas=4, labels={"pool": namespace})
    pool = Pool.create(cluster, namespace, small(nodeSelector={"pool": namespace}))
    pool.wait_ready("2/2")
    cluster.remove_node(first)

    def nowhere() -> bool:
        ready = pool.conditions()["Ready"]
        assert (ready["status"], ready["reason"]) == ("False", "Unschedulable"), ready
        assert "nodeSelector" in ready["message"], ready
        return True

    waiting.wait_for("the pool to say that no node is left", nowhere, timeout=90)
    second = gpu_node(replicas=4, labels={"pool": namespace})
    pool.wait_ready("2/2")

    def moved() -> bool:
        """The pods of the node that is gone are collected by and by."""
        nodes = {pod["spec"].get("nodeName") for pod in pool.pods("vllm")}
        assert nodes == {second}, nodes
        return True

    waiting.wait_for("all engines to be on the second node", moved, timeout=90)


def test_a_reinstalled_operator_adopts_what_is_there(
    cluster: Cluster, gpu_node: GpuNodes, installation: Installation, namespace: str
) -> None:
    """Another process, with a new token: nothing is made anew, and what changed meanwhile is carried out."""
    gpu_node(replicas=4)
    with installation.operator() as operator:
        pool = Pool.create(cluster, namespace, small())
        pool.wait_ready("2/2")
        pool.settle(operator)
    kept = uids(pool, "model-0")

    def fewer(spec: Object) -> None:
        del spec["models"][1]

    pool.edit(fewer)
    began = datetime.now(UTC)
    with installation.operator() as operator:
        pool.wait_ready("1/1")
        pool.settle(operator)
        want = ["delete deployments/small-model-1", "delete services/small-model-1", "patch configmaps/small-routes"]
        assert writes_but_status(operator, began) == want
    assert uids(pool, "model-0") == kept


def test_a_pool_is_deleted_while_no_operator_runs(
    cluster: Cluster, gpu_node: GpuNodes, installation: Installation, namespace: str
) -> None:
    gpu_node(replicas=4)
    with installation.operator():
        pool = Pool.create(cluster, namespace, small())
        pool.wait_ready("2/2")
        metadata = pool.get()["metadata"]
    assert "finalizers" not in metadata
    assert "annotations" not in metadata, "kopf persists nothing"
    try:
        cluster.kubectl("delete", "mp", pool.name, f"--namespace={namespace}", "--wait", "--timeout=30s", timeout=40)
    except subprocess.TimeoutExpired:
        pytest.fail("`kubectl delete mp` hangs without an operator")
    assert cluster.api.find(pool.path) is None
    waiting.wait_for("the end of all children", lambda: not pool.names() and not pool.pods("vllm"), timeout=90)


def test_an_engine_that_crashes_again_and_again_leaves_its_neighbour_alone(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    """The kubelet backs off; the operator makes no other pod of it, and says which model it is and why."""
    gpu_node(replicas=4, held=True, labels={"pool": namespace})
    pool = Pool.create(cluster, namespace, small(nodeSelector={"pool": namespace}))
    broken, healthy = pool.pod("vllm", "model-0"), pool.pod("vllm", "model-1")
    cluster.set_pod_ready(namespace, healthy, True)
    crash = {"exitCode": 1, "reason": "Error", "message": "ValueError: no such thing"}
    cluster.set_container_waiting(namespace, broken, "CrashLoopBackOff", restarts=1, last_exit=crash)
    waiting.wait_for("the crash to be told", lambda: pool.model("model-0").get("reason") == "CrashLoopBackOff")
    kept = uids(pool, "model-0") | uids(pool, "model-1")
    began = datetime.now(UTC)
    for restarts in range(2, 6):
        cluster.set_container_waiting(namespace, broken, "CrashLoopBackOff", restarts=restarts, last_exit=crash)
        waiting.wait_for(
            "the next crash to be told",
            lambda: f"{restarts} restarts" in pool.model("model-0")["message"],  # noqa: B023
        )
    assert writes_but_status(operator, began) == [], "nothing but words"
    assert pool.model("model-1")["state"] == "Ready"
    assert uids(pool, "model-0") | uids(pool, "model-1") == kept
    assert len(events(pool, "CrashLoopBackOff")) == 1, "said once"
