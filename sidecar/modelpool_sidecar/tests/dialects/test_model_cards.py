import dataclasses
import json
from typing import Any

import pytest

from modelpool_sidecar.dialects import model_cards
from modelpool_sidecar.dialects.answer import Answer
from modelpool_sidecar.dialects.model_cards import ModelCard

from . import recordings

NOW = 1795357231_000000000
QWEN = ModelCard(
    name="qwen3:8b",
    engine="vllm",
    created_ns=1795357217_121806029,
    aliases=("qwen3", "gemma3:4b"),
    capabilities=("completion", "tools", "thinking"),
    context_length=8192,
    parameter_size="8.2B",
    quantization="AWQ",
    family="qwen3",
    size_bytes=6_000_000_000,
    memory_bytes=8_000_000_000,
    resident=True,
)
BARE = ModelCard(name="cogito", engine="ollama", created_ns=1795357217_000000000)


def document(answer: Answer) -> Any:
    assert answer.status == 200
    return json.loads(answer.body)


def test_root_and_version_are_as_ollama_answers() -> None:
    recorded = recordings.load("ollama/01-root")
    assert (model_cards.root().body, model_cards.root().content_type) == (recorded.body, recorded.content_type)
    recorded = recordings.load("ollama/02-version")
    assert model_cards.version("0.33.0-rc2").body == recorded.body
    assert model_cards.version().content_type == recorded.content_type


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("03-tags", model_cards.tags([QWEN])),
        ("04-ps", model_cards.resident([QWEN], epoch_ns=NOW)),
    ],
)
def test_lists_have_every_field_that_ollama_has(name: str, answer: Answer) -> None:
    recorded = recordings.load(f"ollama/{name}")
    want = recordings.shape(recorded.document)["models"][0]
    got = recordings.shape(document(answer))["models"][0]
    want["details"].pop("embedding_length", None)  # not known without the weights
    assert got == want
    assert answer.content_type == recorded.content_type


def test_show_has_what_clients_read() -> None:
    got, want = document(model_cards.show(QWEN)), recordings.load("ollama/05-show").document
    assert set(want) - set(got) == {"tensors"}
    assert recordings.shape(got["details"]) == recordings.shape(want["details"])
    assert got["model_info"]["general.architecture"] == "qwen3"
    assert got["model_info"]["qwen3.context_length"] == 8192
    assert got["capabilities"] == ["completion", "tools", "thinking"]


def test_models_have_the_shape_of_vllm() -> None:
    got, want = document(model_cards.models([QWEN])), recordings.load("vllm/02-models").document
    want["data"][0].pop("permission")
    assert recordings.shape(got) == recordings.shape(want)
    assert [one["id"] for one in got["data"]] == ["qwen3:8b", "qwen3", "gemma3:4b"]
    assert document(model_cards.model(QWEN, "qwen3"))["id"] == "qwen3"


def test_empty_lists_are_lists() -> None:
    assert model_cards.tags([]).body == b'{"models":[]}' == model_cards.resident([], epoch_ns=NOW).body
    assert document(model_cards.models([])) == {"object": "list", "data": []}


def test_aliases_are_listed_as_the_same_model() -> None:
    models = document(model_cards.tags([QWEN, BARE]))["models"]
    assert [one["name"] for one in models] == ["qwen3:8b", "qwen3", "gemma3:4b", "cogito"]
    assert len({one["digest"] for one in models}) == 2


def test_only_resident_models_are_running_and_stay_for_ever_or_until_their_end() -> None:
    ending = dataclasses.replace(BARE, resident=True, expires_ns=NOW + 60_000_000_000)
    assert document(model_cards.resident([BARE], epoch_ns=NOW))["models"] == []
    for_ever, soon = document(model_cards.resident([QWEN, ending], epoch_ns=NOW))["models"]
    assert for_ever["expires_at"].startswith("2319-")
    assert soon["expires_at"] == "2026-11-22T14:21:31Z"


def test_what_is_unknown_is_absent_not_invented() -> None:
    info = document(model_cards.show(BARE))["model_info"]
    assert info == {"general.architecture": "unknown", "general.basename": "cogito"}
    assert "max_model_len" not in document(model_cards.model(BARE, "cogito"))
    assert "context_length" not in document(model_cards.tags([BARE]))["models"][0]["details"]
