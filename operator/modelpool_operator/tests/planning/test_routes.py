"""The routes document: what the gateway is told."""

import json
from typing import Any

from modelpool_operator.api.models import Engine
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.quantity import GIB
from modelpool_operator.planning.manifests.children import children_of
from modelpool_operator.planning.manifests.routes import in_cluster, routes_document
from modelpool_operator.planning.memory import catalogue
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
                "parameterSize": "8.2B",
                "quantization": "AWQ",
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
