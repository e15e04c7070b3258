"""The routes document: what the gateway is told."""

import json
from typing import Any

import pytest

from modelpool_operator.api.models import Engine
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.quantity import GIB
from modelpool_operator.planning.manifests.children import children_of
from modelpool_operator.planning.manifests.routes import in_cluster, routes_document
from modelpool_operator.planning.memory import catalogue, repository_facts
from modelpool_operator.planning.memory.sources import parse_source
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement.pool_placement import place_pool
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.planning.pools import ollama, pool_of, vllm

QWEN = vllm(
    "qwen3:8b",
    0.35,
    source="hf://Qwen/Qwen3-8B-AWQ",
    aliases=["qwen3"],
    contextLength=8192,
    capabilities=["completion", "tools", "thinking"],
)
OLLAMA = {"engine": "ollama", "service": "agentic-ollama", "port": 11434, "maxConcurrency": 1}


def known_weights(source: str) -> int:
    found = catalogue.known(parse_source(source))
    assert found is not None
    return found.weights


def placed(pool: ModelPool) -> Placement:
    placement = place_pool(pool, Observed())
    assert isinstance(placement, Placement)
    return placement


def document(*models: dict[str, Any], **spec: Any) -> dict[str, Any]:
    pool = pool_of(*models, **spec)
    return routes_document(pool, placed(pool), in_cluster(pool, placed(pool)))


def test_the_document_of_the_design() -> None:
    assert document(QWEN) == {
        "version": 1,
        "pool": {"namespace": "llm", "name": "agentic", "created": "2026-11-22T10:00:00Z", "generation": 3},
        "queue": {"maxPending": 256, "timeoutSeconds": 60},
        "models": [
            {
                "name": "qwen3:8b",
                "aliases": ["qwen3"],
                "capabilities": ["completion", "tools", "thinking"],
                "contextLength": 8192,
                "trainedContextLength": 40960,
                "embeddingLength": 4096,
                "parameterSize": "8.2B",
                "quantization": "AWQ",
                "family": "qwen3",
                "parameters": {"temperature": 0.6, "top_k": 20, "top_p": 0.95},
                "sizeBytes": known_weights("hf://Qwen/Qwen3-8B-AWQ"),
                "memoryBytes": 0.35 * 24 * GIB // 1,
                "backends": [
                    {
                        "engine": "vllm",
                        "service": "agentic-qwen3-8b",
                        "port": 8000,
                        "model": "qwen3:8b",
                        "maxConcurrency": 16,
                    },
                    {**OLLAMA, "model": "qwen3:8b"},
                ],
            }
        ],
    }


def test_what_is_not_known_is_left_out() -> None:
    (model,) = document(vllm("a", 0.5, fallback={"enabled": False}))["models"]
    assert set(model) == {"name", "capabilities", "memoryBytes", "backends"}
    assert [backend["engine"] for backend in model["backends"]] == ["vllm"]


def test_an_ollama_model_is_asked_for_by_its_own_name_there() -> None:
    (model,) = document(ollama("qwen2.5-vl:7b", source="ollama://qwen2.5vl:7b"), ollama={"numParallel": 2})["models"]
    assert model["backends"] == [{**OLLAMA, "model": "qwen2.5vl:7b", "maxConcurrency": 2}]
    assert model["contextLength"] == 8192


def test_what_an_ollama_model_can_do_is_ollamas_to_say_unless_the_pool_does() -> None:
    silent, said = document(ollama("a"), ollama("b", capabilities=["completion", "vision"]))["models"]
    assert "capabilities" not in silent
    assert said["capabilities"] == ["completion", "vision"]


def test_one_machine_has_addresses_in_place_of_services() -> None:
    pool = pool_of(QWEN)
    found = routes_document(
        pool, placed(pool), lambda engine, model: {"url": f"http://127.0.0.1/{engine.value}/{model}"}
    )
    urls = [backend["url"] for backend in found["models"][0]["backends"]]
    assert urls == [f"http://127.0.0.1/{engine.value}/qwen3:8b" for engine in (Engine.VLLM, Engine.OLLAMA)]


def test_the_services_that_the_document_names_are_made() -> None:
    pool = pool_of(vllm("qwen3:8b", 0.2), vllm("qwen3-8b", 0.2), vllm("ollama", 0.2), ollama("x"), name="p" * 40)
    children = children_of(pool, placed(pool), None)
    services = {child["metadata"]["name"] for child in children if child["kind"] == "Service"}
    (routes,) = [
        json.loads(child["data"]["routes.json"]) for child in children if "routes.json" in child.get("data", {})
    ]
    named = [backend["service"] for model in routes["models"] for backend in model["backends"]]
    assert set(named) == services
    assert len(services) == 4
    assert all(len(name) <= 63 for name in services)


def test_what_the_pool_says_of_sampling_goes_before_what_the_repository_says() -> None:
    stated = {"temperature": 0, "top_k": 0, "stop": ["END"], "num_predict": 64}
    (model,) = json.loads(json.dumps(document({**QWEN, "parameters": stated})))["models"]
    assert model["parameters"] == {**stated, "top_p": 0.95}


def test_an_unknown_repository_samples_as_the_pool_says_and_no_family_is_guessed() -> None:
    unknown = vllm("a", 0.5, source="hf://someone/Qwen3-8B-of-mine", parameters={"min_p": 0.1}, contextLength=512)
    (model,) = document(unknown, ollama={"enabled": False})["models"]
    assert model["parameters"] == {"min_p": 0.1}
    assert not {"family", "embeddingLength", "trainedContextLength"} & set(model)


def test_of_every_known_repository_the_family_is_known() -> None:
    assert {repository_facts.family_of(repository) for repository in catalogue.KNOWN} == {
        *("qwen3", "qwen3moe", "qwen2", "qwen25vl", "llama", "gemma3", "phi3", "gptoss"),
    }


@pytest.mark.parametrize(
    ("repository", "family", "sampling"),
    [
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3moe", {"temperature": 0.7, "top_k": 20, "top_p": 0.8}),
        ("Qwen/Qwen3-4B-Thinking-2507", "qwen3", {"temperature": 0.6, "top_k": 20, "top_p": 0.95}),
        ("Qwen/Qwen3-Embedding-0.6B", "qwen3", {}),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "llama", {"temperature": 0.6, "top_p": 0.95}),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "qwen2", {"temperature": 0.6, "top_p": 0.95}),
        ("deepcogito/cogito-v1-preview-llama-8B", "llama", {}),
        ("deepcogito/cogito-v1-preview-qwen-14B", "qwen2", {}),
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8", "llama", {"temperature": 0.6, "top_p": 0.9}),
        ("mistralai/Mistral-7B-Instruct-v0.3", "llama", {}),
    ],
)
def test_repositories_are_told_apart(repository: str, family: str, sampling: dict[str, float]) -> None:
    assert repository in catalogue.KNOWN
    assert repository_facts.family_of(repository) == family
    assert repository_facts.sampling_of(repository) == sampling
