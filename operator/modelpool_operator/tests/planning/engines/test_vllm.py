"""vLLM's command line, variables and pod."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.engines import vllm as vllm_engine
from modelpool_operator.planning.engines.start_pod import DRAIN_SECONDS, pod_template
from modelpool_operator.planning.engines.vllm import arguments as engine
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement.pool_placement import place_pool
from modelpool_operator.planning.sharing.shares import Placement, Share
from modelpool_operator.tests.planning.pools import pool_of, two_cards, vllm

FLAGS = Path(__file__).parents[5] / "simulators/modelpool_simulators/recordings/vllm/00-serve-flags.txt"
HUB = "hf://Qwen/Qwen3-8B-AWQ"


def share_of(pool: ModelPool) -> Share:
    placement = place_pool(pool, Observed())
    assert isinstance(placement, Placement), placement
    share = placement.share_of(pool.spec.models[0].name)
    assert share is not None
    return share


def arguments(model: dict[str, Any], **spec: Any) -> list[str]:
    pool = pool_of(model, **spec)
    return list(engine.arguments(pool.spec, pool.spec.models[0], share_of(pool)))


def pod_of(model: dict[str, Any], **spec: Any) -> dict[str, Any]:
    pool = pool_of(model, **spec)
    return pod_template(vllm_engine.PROFILE, pool, pool.spec.models[0], share_of(pool))


def container_of(model: dict[str, Any], **spec: Any) -> dict[str, Any]:
    found: dict[str, Any] = pod_of(model, **spec)["spec"]["containers"][0]
    return found


def variables(model: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container_of(model, **spec)["env"]}


def test_the_plainest_model() -> None:
    assert arguments(vllm("a", 0.5, source=HUB)) == [
        "Qwen/Qwen3-8B-AWQ",
        *("--served-model-name", "a"),
        *("--host", "::"),
        *("--port", "8000"),
        *("--gpu-memory-utilization", "0.5"),
        *("--max-model-len", "auto"),
        *("--max-num-seqs", "16"),
        *("--allowed-media-domains", "none.invalid"),
        *("--shutdown-timeout", "60"),
        "--enable-request-id-headers",
    ]


FULL = vllm(
    "a",
    gpuMemory="8Gi",
    source=HUB,
    tensorParallelSize=2,
    capabilities=["embedding"],
    reasoningParser="qwen3",
    toolCallParser="hermes",
    speculative={"method": "ngram"},
)
PARTS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "a revision": (vllm("a", 0.5, source=f"{HUB}@main"), {}, ["Qwen/Qwen3-8B-AWQ", "--revision", "main"]),
    "a folder": (vllm("a", 0.5, source="pvc://weights/qwen/awq"), {}, ["/weights/qwen/awq", "--served-model-name"]),
    "aliases": (
        vllm("qwen3:8b", 0.5, aliases=["qwen3", "gemma3:4b"]),
        {},
        ["--served-model-name", "qwen3:8b", "--host"],
    ),
    "a cache": (
        vllm("a", 0.5, kvCacheMemory="2Gi"),
        {},
        ["--gpu-memory-utilization", "0.5", "--kv-cache-memory-bytes", "2147483648"],
    ),
    "a context": (vllm("a", 0.5, contextLength=8192), {}, ["--max-model-len", "8192"]),
    "an amount of memory": (vllm("a", gpuMemory="8Gi"), {}, ["--gpu-memory-utilization", "0.3333"]),
    "two cards": (vllm("a", 0.5, tensorParallelSize=2), two_cards(), ["--tensor-parallel-size", "2"]),
    "embeddings": (vllm("a", 0.5, capabilities=["embedding"]), {}, ["--runner", "pooling"]),
    "reasoning": (vllm("a", 0.5, reasoningParser="qwen3"), {}, ["--reasoning-parser", "qwen3"]),
    "tools": (
        vllm("a", 0.5, toolCallParser="hermes"),
        {},
        ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"],
    ),
    "domains of media": (
        vllm("a", 0.5, allowedMediaDomains=["images.example.com", "cdn.example.com"]),
        {},
        ["--allowed-media-domains", "images.example.com", "cdn.example.com", "--shutdown-timeout"],
    ),
    "the pool's arguments, then the model's": (
        vllm("a", 0.5, args=["--enforce-eager"]),
        {"vllm": {"args": ["--swap-space=0"]}},
        ["--enable-request-id-headers", "--swap-space=0", "--enforce-eager"],
    ),
}


@pytest.mark.parametrize(("model", "spec", "want"), PARTS.values(), ids=PARTS.keys())
def test_what_a_field_becomes(model: dict[str, Any], spec: dict[str, Any], want: list[str]) -> None:
    found = arguments(model, **spec)
    assert any(found[place : place + len(want)] == want for place in range(len(found))), found


def test_a_domain_that_redirects_leads_nowhere_else() -> None:
    assert variables(vllm("a", 0.5, allowedMediaDomains=["a.b"]))["VLLM_MEDIA_URL_ALLOW_REDIRECTS"] == "0"


def test_every_flag_is_one_that_vllm_knows() -> None:
    known = set(FLAGS.read_text(encoding="utf-8").split())
    assert {part for part in arguments(FULL, **two_cards("24Gi")) if part.startswith("--")} <= known


DRAFT = {"method": "draftModel", "model": "hf://Qwen/Qwen3-0.6B@main", "tokens": 5}
GUESSES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ngram": (
        {"method": "ngram"},
        {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 4, "prompt_lookup_min": 2},
    ),
    "draft model": (
        DRAFT,
        {"method": "draft_model", "model": "Qwen/Qwen3-0.6B", "revision": "main", "num_speculative_tokens": 5},
    ),
    "eagle3": (
        {"method": "eagle3", "model": "hf://someone/head", "tokens": 3},
        {"method": "eagle3", "model": "someone/head", "num_speculative_tokens": 3},
    ),
}


@pytest.mark.parametrize(("speculative", "want"), GUESSES.values(), ids=GUESSES.keys())
def test_how_tokens_are_guessed(speculative: dict[str, Any], want: dict[str, Any]) -> None:
    found = arguments(vllm("a", 0.5, speculative=speculative))
    assert json.loads(found[found.index("--speculative-config") + 1]) == want


def test_a_token_comes_from_its_secret_and_never_as_text() -> None:
    found = variables(vllm("a", 0.5), huggingFace={"tokenSecretRef": {"name": "hf"}, "endpoint": "http://mirror"})
    assert found["HF_TOKEN"] == {"secretKeyRef": {"name": "hf", "key": "token"}}
    assert found["HF_ENDPOINT"] == "http://mirror"


def test_weights_and_plans_are_kept_on_the_volume() -> None:
    found = variables(vllm("a", 0.5))
    assert (found["HF_HOME"], found["VLLM_CACHE_ROOT"]) == ("/cache/huggingface", "/cache/vllm")


def test_the_users_variable_wins_over_ours_and_none_is_there_twice() -> None:
    env = container_of(vllm("a", 0.5), vllm={"env": [{"name": "HF_HOME", "value": "/mine"}]})["env"]
    named = [one["name"] for one in env]
    assert sorted(named) == sorted(set(named))
    assert env[-1] == {"name": "HF_HOME", "value": "/mine"}
    assert named[:-1] == sorted(named[:-1])


def test_the_engine_waits_for_the_locks_of_all_its_cards() -> None:
    command = container_of(vllm("a", 0.5, tensorParallelSize=2), **two_cards())["command"]
    locks = [command[place + 1] for place, part in enumerate(command) if part == "--lock"]
    assert locks == ["/cache/locks/$(NODE_NAME)-card-0.lock", "/cache/locks/$(NODE_NAME)-card-1.lock"]


def test_time_slicing_asks_for_one_replica() -> None:
    pod = pod_of(vllm("a", 0.5), gpus={"resourceName": "nvidia.com/gpu.shared"})
    assert pod["spec"]["containers"][0]["resources"] == {"limits": {"nvidia.com/gpu.shared": "1"}}
    assert "runtimeClassName" not in pod["spec"]


def test_visible_devices_names_the_card_and_asks_for_nothing() -> None:
    model = vllm("a", 0.5, gpu=1)
    assert variables(model, **two_cards())["NVIDIA_VISIBLE_DEVICES"] == "1"
    assert "resources" not in container_of(model, **two_cards())
    assert pod_of(model, **two_cards())["spec"]["runtimeClassName"] == "nvidia"


def test_pods_of_one_pool_stand_together() -> None:
    affinity = pod_of(vllm("a", 0.5))["spec"]["affinity"]
    (term,) = affinity["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    labels = pod_of(vllm("a", 0.5))["metadata"]["labels"]
    assert term["labelSelector"]["matchLabels"].items() <= labels.items(), "the first pod must match its own rule"


def test_replicas_of_a_model_stand_apart_and_the_users_affinity_stays() -> None:
    mine = {
        "nodeAffinity": {"x": {}},
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"t": 1}]},
    }
    affinity = pod_of(vllm("a", 0.5, replicas=2), affinity=mine)["spec"]["affinity"]
    terms = affinity["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert terms[0] == {"t": 1}
    assert terms[1]["labelSelector"]["matchLabels"]["modelpool.dev/model"] == "a"
    assert affinity["nodeAffinity"] == {"x": {}}
    assert "podAffinity" not in affinity


def test_there_is_time_to_drain() -> None:
    pod = pod_of(vllm("a", 0.5))["spec"]
    stop = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > stop + DRAIN_SECONDS


def test_a_change_of_the_template_is_told_by_its_hash() -> None:
    stamps = {
        pod_of(vllm("a", fraction))["metadata"]["annotations"]["modelpool.dev/template-hash"]
        for fraction in (0.4, 0.4, 0.5)
    }
    assert len(stamps) == 2


def test_a_model_name_of_any_length_fits_its_labels() -> None:
    pod = pod_of(vllm("org/" + "x" * 90, 0.5))
    assert all(len(value) <= 63 for value in pod["metadata"]["labels"].values())
    assert pod["metadata"]["annotations"]["modelpool.dev/model-name"] == "org/" + "x" * 90
