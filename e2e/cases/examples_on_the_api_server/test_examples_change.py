"""Changes of a running pool touch what they concern, and nothing else; the audit log is the witness."""

from datetime import UTC, datetime

import pytest

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.plugin import GpuNodes
from modelpool_under_test.processes.operator_program import Operator
from modelpool_under_test.processes.pools import Object, Pool, small

pytestmark = pytest.mark.cluster


@pytest.fixture
def pool(cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator) -> Pool:
    """Two ready vLLM models on one card, and an operator at rest."""
    gpu_node(replicas=4)
    pool = Pool.create(cluster, namespace, small())
    pool.wait_ready("2/2")
    pool.settle(operator)
    return pool


def writes_but_status(operator: Operator, since: datetime) -> set[str]:
    return {write for write in operator.writes(since) if not write.endswith("/status")}


def test_editing_one_model_touches_its_deployment_and_the_routes(pool: Pool, operator: Operator) -> None:
    began = datetime.now(UTC)

    def change(spec: Object) -> None:
        spec["models"][1]["maxConcurrency"] = 3

    pool.edit(change)
    waiting.wait_for("the Deployment's change", lambda: "patch deployments/small-model-1" in operator.writes(began))
    pool.wait_ready("2/2")
    pool.settle(operator)
    assert writes_but_status(operator, began) == {"patch deployments/small-model-1", "patch configmaps/small-routes"}


def test_removing_one_model_removes_its_objects_and_leaves_the_other_alone(pool: Pool, operator: Operator) -> None:
    began = datetime.now(UTC)

    def change(spec: Object) -> None:
        del spec["models"][1]

    pool.edit(change)
    waiting.wait_for("the end of its Deployment", lambda: "Deployment small-model-1" not in pool.names(["Deployment"]))
    pool.wait_ready("1/1")
    pool.settle(operator)
    want = {"delete deployments/small-model-1", "delete services/small-model-1", "patch configmaps/small-routes"}
    assert writes_but_status(operator, began) == want
    kept = {"Deployment small-model-0", "Service small-model-0"}
    assert pool.names(["Deployment", "Service"]) == kept


def test_what_somebody_else_changed_is_set_right_and_what_they_deleted_is_made_again(
    cluster: Cluster, pool: Pool, operator: Operator
) -> None:
    path = f"/apis/apps/v1/namespaces/{pool.namespace}/deployments/small-model-0"
    cluster.api.patch(path, {"spec": {"replicas": 5}})
    waiting.wait_for("one replica again", lambda: cluster.api.get(path)["spec"]["replicas"] == 1)
    uid = cluster.api.get(path)["metadata"]["uid"]
    cluster.api.delete(path, propagationPolicy="Background")

    def made_again() -> bool:
        found = cluster.api.find(path)
        return found is not None and found["metadata"]["uid"] != uid

    waiting.wait_for("a new Deployment", made_again)


def test_objects_of_others_with_our_label_are_left_alone(cluster: Cluster, pool: Pool, operator: Operator) -> None:
    body = {"metadata": {"name": "theirs", "labels": {"modelpool.dev/pool": pool.name}}, "data": {"a": "b"}}
    cluster.api.create(f"/api/v1/namespaces/{pool.namespace}/configmaps", body)
    began = pool.pass_over(operator)
    assert operator.writes(began) == []
    assert "ConfigMap theirs" in pool.names(["ConfigMap"])


def test_an_object_that_has_a_childs_name_is_not_taken_over(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    gpu_node(replicas=4)
    path = f"/api/v1/namespaces/{namespace}/services"
    service = {"metadata": {"name": "small-model-0"}, "spec": {"ports": [{"port": 80}], "selector": {"app": "theirs"}}}
    theirs = cluster.api.create(path, service)
    pool = Pool.create(cluster, namespace, small())
    want = "Could not apply Service small-model-0: an object of that name is there and is not this pool's"

    def told() -> bool:
        said = [condition["message"] for condition in pool.conditions().values()]
        assert any(want in message for message in said), said
        return True

    waiting.wait_for("the status to say so", told)
    waiting.wait_for("the rest of the pool", lambda: "Deployment small-model-1" in pool.names())
    live = cluster.api.get(f"{path}/small-model-0")
    assert live["metadata"]["resourceVersion"] == theirs["metadata"]["resourceVersion"]


def test_deleting_the_pool_leaves_nothing_behind(cluster: Cluster, pool: Pool, operator: Operator) -> None:
    began = datetime.now(UTC)
    cluster.api.delete(pool.path)
    waiting.wait_for("the end of all children", lambda: not pool.names() and not pool.pods("vllm"), timeout=90)
    assert cluster.api.find(pool.path) is None
    assert writes_but_status(operator, began) == set(), "the garbage collector does it, not the operator"


def test_a_pool_that_leaves_one_kind_of_engine_loses_what_only_that_one_needed(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    gpu_node(replicas=4)
    body = small(models=1, ollama={"enabled": True})
    body["spec"]["models"].append({"name": "cogito:8b", "engine": "ollama"})
    pool = Pool.create(cluster, namespace, body)
    pool.wait_ready("2/2")
    before = pool.names(["ConfigMap", "Job"])
    pool.settle(operator)

    def without_vllm(spec: Object) -> None:
        spec["models"] = [{"name": "tinyllama:1b", "engine": "ollama"}]

    pool.edit(without_vllm)
    pool.wait_ready("1/1")

    def pruned() -> bool:
        gone = {name.partition(" ")[0] for name in before - pool.names(["ConfigMap", "Job"])}
        assert gone == {"ConfigMap", "Job"}, gone
        return True

    waiting.wait_for("the end of the start script and of the old pull", pruned)
    assert not pool.pods("vllm")
