"""What the status says while engines come, go and fail, and what `kubectl get` makes of it."""

import pytest

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.plugin import GpuNodes
from modelpool_under_test.processes.operator_program import Operator
from modelpool_under_test.processes.pools import Object, Pool, example, small

pytestmark = pytest.mark.cluster


def wait_for_model(pool: Pool, name: str, **want: object) -> Object:
    def look() -> Object:
        model = pool.model(name)
        assert {key: model.get(key) for key in want} == want, model
        return model

    return waiting.wait_for(f"{name} with {want}", look)


def test_engines_land_on_the_gpu_node_and_one_too_many_stays_pending_with_the_reason(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    """The card is offered three times, four engines want it: the scheduler decides, and its words are the model's."""
    node = gpu_node(replicas=3, labels={"pool": namespace})
    pool = Pool.create(cluster, namespace, small(models=4, nodeSelector={"pool": namespace}))

    def look() -> list[str]:
        states = [str(model["state"]) for model in pool.status().get("models", ())]
        assert sorted(states) == ["Ready", "Ready", "Ready", "Unschedulable"], states
        return states

    waiting.wait_for("three ready models and one without a place", look)
    pods = {pod["spec"].get("nodeName") for pod in pool.pods("vllm")}
    assert pods == {node, None}
    (stuck,) = (model for model in pool.status()["models"] if model["state"] == "Unschedulable")
    assert "Insufficient nvidia.com/gpu" in stuck["message"], stuck
    assert pool.status()["readyModels"] == "3/4"
    assert pool.conditions()["Ready"]["status"] == "False"
    assert pool.conditions()["Degraded"]["status"] == "True"


def test_a_pool_comes_up_loses_an_engine_to_its_fallback_and_gets_it_back(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    gpu_node(replicas=4, held=True, labels={"pool": namespace})
    body = example("consolidated")
    body["spec"]["nodeSelector"] = {"pool": namespace}
    pool = Pool.create(cluster, namespace, body)

    # Nobody is ready, and each model says what it waits for.
    qwen, vision, ollama = pool.pod("vllm", "qwen3:8b"), pool.pod("vllm", "qwen2.5-vl:7b"), pool.pod("ollama")
    wait_for_model(pool, "qwen3:8b", state="PullingImage", servedBy=None)
    assert pool.conditions()["Planned"]["status"] == "True"
    assert pool.conditions()["Ready"]["status"] == "False"

    # vLLM comes up.
    for name in (qwen, vision):
        cluster.set_pod_ready(namespace, name, True)
    pool.wait_ready("2/2")
    wait_for_model(pool, "qwen3:8b", state="Ready", servedBy="vllm", readyReplicas=1)

    # Ollama comes up, and the pulls of both fallbacks are made and succeed.
    cluster.set_pod_ready(namespace, ollama, True)
    pulls = waiting.wait_for("two pulls", lambda: found if len(found := pool.pods("pull")) == 2 else None)
    for pull in pulls:
        finish(cluster, namespace, pull["metadata"]["name"])
    waiting.wait_for(
        "both pulls complete",
        lambda: [job["status"].get("succeeded") for job in pool.children(["Job"])] == [1, 1],
    )

    # One engine dies: its fallback answers, and the status says why.
    crash = {"exitCode": 1, "reason": "Error", "message": "ValueError: No available memory for the cache blocks"}
    cluster.set_container_waiting(namespace, qwen, "CrashLoopBackOff", restarts=3, last_exit=crash)
    model = wait_for_model(pool, "qwen3:8b", state="Fallback", servedBy="ollama", reason="ShareTooSmall")
    assert "No available memory for the cache blocks" in model["message"]
    wait_for_model(pool, "qwen2.5-vl:7b", state="Ready", servedBy="vllm")

    def told() -> list[str]:
        selector = "involvedObject.kind=ModelPool"
        events = cluster.api.items(f"/api/v1/namespaces/{namespace}/events", fieldSelector=selector)
        return [event["message"] for event in events if event["reason"] == "ShareTooSmall"]

    (message,) = waiting.wait_for("an Event", told)
    assert "No available memory" in message

    # It comes back.
    cluster.set_pod_ready(namespace, qwen, True)
    wait_for_model(pool, "qwen3:8b", state="Ready", servedBy="vllm")
    pool.wait_ready("2/2")


def finish(cluster: Cluster, namespace: str, pod: str) -> None:
    """Let a pod of a Job end well, as a kubelet would say it."""
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}"
    container = cluster.api.get(path)["spec"]["containers"][0]["name"]
    ended = {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-11-22T10:00:00Z"}
    status = {"name": container, "image": "i", "imageID": "", "ready": False, "restartCount": 0}
    statuses = [{**status, "state": {"terminated": ended}}]
    cluster.api.patch(f"{path}/status", {"status": {"phase": "Succeeded", "containerStatuses": statuses}})


def test_kubectl_shows_what_matters(cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator) -> None:
    gpu_node(replicas=4)
    pool = Pool.create(cluster, namespace, small())
    pool.wait_ready("2/2")
    shown = cluster.kubectl("get", "mp", f"--namespace={namespace}")
    header, row = (line.split() for line in shown.strip().splitlines())
    assert header == ["NAME", "READY", "MODELS", "GPUS", "FREE", "REASON", "AGE"]
    table = dict(zip(header, row, strict=True))
    assert (table["NAME"], table["READY"], table["MODELS"]) == ("small", "True", "2/2")
    assert table["FREE"] == pool.status()["gpus"][0]["free"], shown
    for condition in pool.conditions().values():
        assert condition["observedGeneration"] == 1


def test_a_spec_that_only_the_operator_can_refuse_is_refused_in_the_status(
    cluster: Cluster, namespace: str, operator: Operator
) -> None:
    body = small(models=1)
    del body["spec"]["gpus"]["memory"]
    body["spec"]["nodeSelector"] = {"no": "such-node"}
    pool = Pool.create(cluster, namespace, body)
    planned = waiting.wait_for("the condition Planned", lambda: pool.conditions().get("Planned"))
    assert (planned["status"], planned["reason"]) == ("False", "CardMemoryUnknown")
    assert pool.names() == set()


def test_of_two_pools_that_claim_a_name_the_younger_one_is_told(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    gpu_node(replicas=4)
    older = Pool.create(cluster, namespace, small("older", models=1))
    older.wait_ready("1/1")
    created = older.get()["metadata"]["creationTimestamp"]
    younger = small("younger", models=1)
    waiting.wait_for(
        "another second, as creation times count in seconds",
        lambda: created < cluster_time(cluster, namespace),
    )
    loser = Pool.create(cluster, namespace, younger)

    def told() -> bool:
        said = str(loser.conditions().get("Degraded"))
        assert f"{namespace}/older" in said, said
        return True

    waiting.wait_for("the younger pool's status to name the older one", told)
    assert "younger" not in str(older.conditions()["Degraded"])

    cluster.api.delete(older.path)
    waiting.wait_for("the younger pool to have the name", lambda: "older" not in str(loser.conditions()["Degraded"]))


def cluster_time(cluster: Cluster, namespace: str) -> str:
    """Return the API server's time as it writes it, by making an object that is not kept."""
    path = f"/api/v1/namespaces/{namespace}/configmaps?dryRun=All"
    return str(cluster.api.create(path, {"metadata": {"name": "clock"}})["metadata"]["creationTimestamp"])
