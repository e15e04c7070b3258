"""Ollama's variables and pods, and who needs it."""

from typing import Any

import pytest

from modelpool_operator.planning.engines import ollama as engine
from modelpool_operator.planning.observed import Observed
from modelpool_operator.planning.placement import Placement
from modelpool_operator.planning.plan import place_pool
from modelpool_operator.tests.planning.pools import ollama, pool_of, spec_of, two_cards, vllm

GIB = 1 << 30


def pod_of(*models: dict[str, Any], **spec: Any) -> dict[str, Any]:
    pool = pool_of(*models, **spec)
    placement = place_pool(pool, Observed())
    assert isinstance(placement, Placement), placement
    return engine.pod_template(pool, placement)


def variables(pod: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in pod["spec"]["containers"][0]["env"]}


PULLS: dict[str, tuple[tuple[dict[str, Any], ...], dict[str, Any], tuple[str, ...]]] = {
    "an Ollama model": ((ollama("a"),), {}, ("a",)),
    "a model under another name": ((ollama("a", source="ollama://b:7b"),), {}, ("b:7b",)),
    "a fallback, by the model's own name": ((vllm("a", 0.5),), {}, ("a",)),
    "a fallback by its name": ((vllm("a", 0.5, fallback={"model": "b"}),), {}, ("b",)),
    "no fallback": ((vllm("a", 0.5, fallback={"enabled": False}),), {}, ()),
    "no Ollama": ((vllm("a", 0.5),), {"ollama": {"enabled": False}}, ()),
    "one name for two": ((vllm("a", 0.5, fallback={"model": "b"}), ollama("b")), {}, ("b",)),
}


@pytest.mark.parametrize(("models", "spec", "want"), PULLS.values(), ids=PULLS.keys())
def test_what_is_pulled(models: tuple[dict[str, Any], ...], spec: dict[str, Any], want: tuple[str, ...]) -> None:
    found = spec_of(*models, **spec)
    assert engine.models_to_pull(found) == want
    assert engine.is_needed(found) is bool(want)


def test_on_the_cpu_it_sees_no_card() -> None:
    pod = pod_of(vllm("a", 0.5))
    assert variables(pod)["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert "resources" not in pod["spec"]["containers"][0]
    assert "affinity" not in pod["spec"]
    assert "modelpool.dev/on-card" not in pod["metadata"]["labels"]


def test_with_a_share_it_stands_on_the_card_and_leaves_free_what_the_plan_leaves_free() -> None:
    pod = pod_of(vllm("a", 0.5), ollama={"gpuMemory": "6Gi"}, gpus={"reserve": "1Gi"})
    assert pod["spec"]["containers"][0]["resources"] == {"limits": {"nvidia.com/gpu": "1"}}
    assert int(variables(pod)["OLLAMA_GPU_OVERHEAD"]) == (24 - 12 - 6 - 1) * GIB
    assert "podAffinity" in pod["spec"]["affinity"]


def test_with_a_share_of_one_of_two_cards_it_sees_that_one() -> None:
    pod = pod_of(vllm("a", 0.8, gpu=0), ollama={"gpuMemory": "6Gi"}, **two_cards())
    assert variables(pod)["NVIDIA_VISIBLE_DEVICES"] == "1"


def test_the_servers_settings_are_the_pools() -> None:
    found = variables(pod_of(ollama("a"), ollama={"numParallel": 2, "keepAlive": "1h", "contextLength": 4096}))
    want = {"OLLAMA_NUM_PARALLEL": "2", "OLLAMA_KEEP_ALIVE": "1h", "OLLAMA_CONTEXT_LENGTH": "4096"}
    assert want.items() <= found.items()


def test_a_pull_asks_the_server_and_needs_no_right_of_its_own() -> None:
    pod = engine.client_template(pool_of(ollama("cogito:8b")), "cogito:8b", "pull", ["ollama", "pull", "cogito:8b"])[
        "spec"
    ]
    (container,) = pod["containers"]
    assert container["command"] == ["ollama", "pull", "cogito:8b"]
    assert variables({"spec": pod})["OLLAMA_HOST"] == "http://agentic-ollama:11434"
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert pod["restartPolicy"] == "OnFailure"
