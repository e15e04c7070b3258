"""Ollama's servers as containers: their variables, what they may take, what they see."""

from typing import Any

import pytest

from modelpool_operator.planning.engines.ollama import pod as ollama_pods
from modelpool_operator.planning.manifests import services
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_states import state_of
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.planning.placement.pool_placement import place_pool
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.planning.pools import ollama, pool_of, two_cards, vllm

GIB = 1 << 30
SHARED = (vllm("a", 0.5), ollama("cogito:8b"))
ON_CARD: dict[str, Any] = {"gpuMemory": "6Gi"}


def pod_of(*models: dict[str, Any], **spec: Any) -> dict[str, Any]:
    pool = pool_of(*models, **spec)
    placement = place_pool(pool, Observed())
    assert isinstance(placement, Placement), placement
    return ollama_pods.pod_template(pool, placement)


def containers(pod: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in pod["spec"]["containers"]}


def variables(pod: dict[str, Any], name: str = "ollama") -> dict[str, str]:
    return {one["name"]: one["value"] for one in containers(pod)[name]["env"]}


def test_on_the_cpu_it_sees_no_card() -> None:
    pod = pod_of(vllm("a", 0.5))
    assert variables(pod)["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert "resources" not in pod["spec"]["containers"][0]
    assert "affinity" not in pod["spec"]
    assert "modelpool.dev/on-card" not in pod["metadata"]["labels"]
    assert containers(pod).keys() == {"ollama"}


def test_with_a_share_it_stands_on_the_card_and_leaves_free_what_the_plan_leaves_free() -> None:
    pod = pod_of(*SHARED, ollama=ON_CARD, gpus={"reserve": "1Gi"})
    assert containers(pod)["ollama"]["resources"] == {"limits": {"nvidia.com/gpu": "1"}}
    assert int(variables(pod)["OLLAMA_GPU_OVERHEAD"]) == (24 - 12 - 6 - 1) * GIB
    assert "podAffinity" in pod["spec"]["affinity"]


def test_with_a_share_of_one_of_two_cards_it_sees_that_one() -> None:
    pod = pod_of(vllm("a", 0.8, gpu=0), ollama("b"), ollama=ON_CARD, **two_cards())
    assert variables(pod)["NVIDIA_VISIBLE_DEVICES"] == "1"


def test_the_servers_settings_are_the_pools() -> None:
    found = variables(pod_of(ollama("a"), ollama={"numParallel": 2, "keepAlive": "1h", "contextLength": 4096}))
    want = {"OLLAMA_NUM_PARALLEL": "2", "OLLAMA_KEEP_ALIVE": "1h", "OLLAMA_CONTEXT_LENGTH": "4096"}
    assert want.items() <= found.items()


def test_stand_ins_beside_a_share_have_a_server_that_sees_no_card() -> None:
    pod = pod_of(*SHARED, ollama("qwen3:8b"), ollama={**ON_CARD, "maxLoadedModels": 2})
    assert containers(pod).keys() == {"ollama", "ollama-cpu"}
    second = variables(pod, "ollama-cpu")
    assert (second["CUDA_VISIBLE_DEVICES"], second["NVIDIA_VISIBLE_DEVICES"]) == ("-1", "void")
    assert (second["OLLAMA_HOST"], second["OLLAMA_MODELS"]) == ("0.0.0.0:11435", "/models")
    assert second["OLLAMA_NOPRUNE"] == "1", "it would remove what the first server downloads"
    assert "OLLAMA_GPU_OVERHEAD" not in second
    assert (variables(pod)["OLLAMA_MAX_LOADED_MODELS"], second["OLLAMA_MAX_LOADED_MODELS"]) == ("1", "2")
    ports = [one["containerPort"] for container in pod["spec"]["containers"] for one in container["ports"]]
    assert ports == [11434, 11435]


def test_the_service_has_a_port_for_each_server() -> None:
    for share, ports in (({}, {"http": 11434}), (ON_CARD, {"http": 11434, "http-cpu": 11435})):
        pool = pool_of(*SHARED, ollama=share)
        placement = place_pool(pool, Observed())
        assert isinstance(placement, Placement)
        found = services.ollama_service(pool, placement)["spec"]["ports"]
        assert {one["name"]: one["port"] for one in found} == ports
        assert all(one["targetPort"] == one["name"] for one in found)


def test_nothing_that_the_user_says_gives_the_second_server_a_card() -> None:
    theirs = [{"name": "HTTPS_PROXY", "value": "http://proxy"}]
    resources = {"limits": {"nvidia.com/gpucores": "30", "memory": "8Gi"}, "claims": [{"name": "card"}]}
    pod = pod_of(*SHARED, ollama={**ON_CARD, "env": theirs, "resources": resources})
    second = variables(pod, "ollama-cpu")
    assert (second["CUDA_VISIBLE_DEVICES"], second["NVIDIA_VISIBLE_DEVICES"]) == ("-1", "void")
    assert (second["OLLAMA_HOST"], second["HTTPS_PROXY"]) == ("0.0.0.0:11435", "http://proxy")
    assert containers(pod)["ollama-cpu"]["resources"] == {"limits": {"memory": "8Gi"}}


RESOURCES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "little is asked for": ({"requests": {"cpu": "4", "memory": "4Gi"}}, {"cpu": "100m", "memory": "256Mi"}),
    "a limit alone would be a request": ({"limits": {"memory": "16Gi"}}, {"memory": "256Mi"}),
    "less than little": ({"requests": {"cpu": "50m", "memory": "64Mi"}}, {"cpu": "50m", "memory": "64Mi"}),
    "numbers": ({"requests": {"cpu": 0.05, "memory": 1 << 30}}, {"cpu": "0.05", "memory": "256Mi"}),
    "nothing": ({}, {}),
    "no amounts, which is the API server's to refuse": ({"requests": {"memory": "much"}}, {"memory": "much"}),
}


@pytest.mark.parametrize(("wanted", "requests"), RESOURCES.values(), ids=RESOURCES.keys())
def test_what_the_user_asks_for_is_asked_for_once(wanted: dict[str, Any], requests: dict[str, str]) -> None:
    pod = pod_of(*SHARED, ollama={**ON_CARD, "resources": wanted})
    assert containers(pod)["ollama"]["resources"].get("requests", {}) == requests
    assert containers(pod)["ollama-cpu"].get("resources", {}) == wanted


def test_of_two_servers_the_one_that_is_not_ready_tells_why_the_pod_is_not() -> None:
    killed = {
        "lastState": {"terminated": {"reason": "OOMKilled"}},
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    }
    first = {"name": "ollama", "ready": True, "started": True, "state": {"running": {}}}
    labels = {"app.kubernetes.io/name": "ollama"}
    for statuses in ([first, {"name": "ollama-cpu", **killed}], [{"name": "ollama-cpu", **killed}, first]):
        view = PodView.from_manifest({"metadata": {"labels": labels}, "status": {"containerStatuses": statuses}})
        assert state_of(view).reason == "OOMKilled"
