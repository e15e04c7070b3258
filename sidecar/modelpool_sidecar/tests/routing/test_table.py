import json
from pathlib import Path

import pytest

from modelpool_sidecar.routing import documents, table, table_building
from modelpool_sidecar.tests.routing.worlds import ENGINES

from .worlds import OLLAMA, VLLM, built, document, entry, model

DESIGN = b"""
{"version": 1, "pool": {"namespace": "llm", "name": "agentic", "created": "2026-11-22T10:00:00Z", "generation": 3},
 "queue": {"maxPending": 256, "timeoutSeconds": 60}, "somethingNew": true,
 "models": [{"name": "qwen3:8b", "aliases": ["qwen3"], "capabilities": ["completion", "tools", "thinking"],
   "contextLength": 8192, "parameterSize": "8.2B", "quantization": "AWQ",
   "backends": [
     {"engine": "vllm", "service": "agentic-qwen3-8b", "port": 8000, "model": "qwen3:8b", "maxConcurrency": 16},
     {"engine": "ollama", "service": "agentic-ollama", "port": 11434, "model": "qwen3:8b", "maxConcurrency": 1}]}]}
"""


SAME: list[tuple[str, str, bool]] = json.loads(
    (Path(__file__).parents[4] / "docs" / "reference" / "names.json").read_text()
)


@pytest.mark.parametrize(("one", "other", "same"), SAME)
def test_names_that_clients_mean_alike_are_one(one: str, other: str, same: bool) -> None:
    """The operator is held to the same table."""
    assert (table.folded(one) == table.folded(other)) is same


def test_a_document_becomes_models_with_ordered_backends() -> None:
    ref = table.ServiceRef("llm", "agentic-qwen3-8b", 8000)
    addresses = {ref: (table.Address(url="http://10.0.0.1:8000", ready=True),)}
    found = table_building.build([documents.parse(DESIGN, ENGINES)], addresses, {}).find("qwen3")
    assert found is not None
    assert [(one.engine, one.ready, one.max_concurrency) for one in found.backends] == [
        ("vllm", True, 16),
        ("ollama", False, 1),
    ]
    assert str(found.backends[0].key) == "llm/agentic/agentic-qwen3-8b:8000"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "truncated"),
        (b'{"version": 2, "pool": {"namespace": "a", "name": "b"}}', "$.version"),
        (DESIGN.replace(b'"vllm"', b'"tgi"'), "$.models[0].backends[0].engine"),
        (DESIGN.replace(b', "port": 8000', b""), "must have `port`"),
        (DESIGN.replace(b'"maxConcurrency": 16', b'"maxConcurrency": 0'), "$.models[0].backends[0].maxConcurrency"),
        (DESIGN.replace(b'"service": "agentic-qwen3-8b",', b""), "exactly one of"),
    ],
)
def test_a_wrong_document_is_refused_with_the_place(text: bytes, says: str) -> None:
    with pytest.raises(documents.InvalidRoutesError) as caught:
        documents.parse(text, ENGINES)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "asked",
    ["qwen3:8b", "QWEN3:8B", "qwen3", "qwen3:latest", "Qwen3", "library/qwen3:8b", "registry.ollama.ai/library/qwen3"],
)
def test_names_match_as_ollama_matches_them(asked: str) -> None:
    found = built(document(model(aliases=("qwen3",)))).find(asked)
    assert found is not None
    assert found.name == "qwen3:8b"


def test_a_missing_name_is_none() -> None:
    assert built(document()).find("qwen3:4b") is None


def test_the_older_pool_keeps_a_contested_name() -> None:
    young, old = document(model("a"), model("b"), pool="young"), document(model("a"), pool="zold", age=9)
    live = built(young, old)
    assert {name: live.names[name].pool.name for name in ("a", "b")} == {"a": "zold", "b": "young"}
    assert [(one.name, one.winner.name, one.loser.name) for one in live.conflicts] == [("a", "zold", "young")]


def test_an_alias_never_hides_a_model_of_its_pool_and_loses_to_an_older_pool() -> None:
    live = built(document(model("a", aliases=("b",)), model("b")))
    assert live.names["b"].name == "b"
    live = built(document(model("a", aliases=("b",))), document(model("b"), pool="old", age=1))
    assert (live.names["b"].pool.name, live.conflicts[0].loser.name) == ("old", "agentic")


@pytest.mark.parametrize(
    ("probed", "want"),
    [
        ({}, True),
        ({OLLAMA: table.Probed(alive=False)}, False),
        ({OLLAMA: table.Probed(alive=True)}, True),
        ({OLLAMA: table.Probed(alive=True, models=frozenset({"cogito:8b"}))}, False),
        ({OLLAMA: table.Probed(alive=True, models=frozenset({table.folded("qwen3:latest")}))}, True),
    ],
)
def test_ollama_is_ready_for_the_models_it_holds(probed: dict[str, table.Probed], want: bool) -> None:
    routes = document(model("qwen3", entry("ollama", OLLAMA, model="qwen3")))
    service = table.service_of(routes.pool, routes.models[0].backends[0])
    live = table_building.build([routes], {service: (table.Address(url=OLLAMA, ready=True),)}, probed)
    assert live.models[0].ready is want


def test_a_backend_shares_its_key_with_the_models_of_one_ollama() -> None:
    live = built(document(model("a", entry("ollama", OLLAMA)), model("b", entry("ollama", OLLAMA))))
    assert live.models[0].backends[0].key == live.models[1].backends[0].key
    assert VLLM not in str(live.models[0].backends[0].key)


def test_addresses_that_lack_a_model_are_known_without_a_search() -> None:
    ref = table.ServiceRef("llm", "agentic-qwen3-8b", 8000)
    ready, lacking = "http://10.0.0.1:8000", "http://10.0.0.2:8000"
    addresses = {ref: (table.Address(url=ready, ready=True), table.Address(url=lacking, ready=True))}
    found = table_building.build([documents.parse(DESIGN, ENGINES)], addresses, {lacking: table.Probed(alive=False)})
    assert found.unready == {(lacking, "vllm")}


def test_a_model_whose_name_is_taken_has_no_aliases_either() -> None:
    twice = document(model("one", aliases=("first",)), model("one", aliases=("second",)))
    assert set(built(twice).names) == {"one", "first"}
