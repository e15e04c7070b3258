import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    embedding_length=4096,
    size_bytes=6_000_000_000,
    memory_bytes=8_000_000_000,
    resident=True,
)
BARE = ModelCard(name="cogito", engine="ollama", created_ns=1795357217_000000000)
NAMELESS = ModelCard(name="cogito", engine="vllm")
"""A model of which the pool says nothing."""


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
    assert got == want
    assert answer.content_type == recorded.content_type


def test_show_has_what_clients_read() -> None:
    got, want = document(model_cards.show(QWEN)), recordings.load("ollama/05-show").document
    assert set(want) - set(got) == {"tensors"}
    assert got["model_info"]["qwen3.embedding_length"] == 4096
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


def test_what_engines_keep_stays_for_ever_and_the_others_say_until_when() -> None:
    held = {"name": "cogito:latest", "model": "cogito:latest", "size": 7, "expires_at": "2026-11-22T14:21:31Z"}
    ending = dataclasses.replace(BARE, loaded=held, aliases=("c",))
    assert document(model_cards.resident([BARE], epoch_ns=NOW))["models"] == []
    *for_ever, soon, aliased = document(model_cards.resident([QWEN, ending], epoch_ns=NOW))["models"]
    assert [one["name"] for one in for_ever] == ["qwen3:8b", "qwen3", "gemma3:4b"], "all that `/api/tags` lists"
    assert {one["expires_at"][:5] for one in for_ever} == {"2319-"}
    assert soon == held | {"name": "cogito", "model": "cogito"}
    assert aliased == held | {"name": "c", "model": "c"}


def test_what_an_engine_says_of_its_model_is_told_under_our_names() -> None:
    said = {"name": "cogito:8b", "model": "cogito:8b", "modified_at": "2026-11-22T14:20:17Z", "size": 5, "digest": "d"}
    listed = dataclasses.replace(BARE, listed=said, aliases=("c",))
    assert document(model_cards.tags([listed]))["models"] == [
        said | {"name": "cogito", "model": "cogito"},
        said | {"name": "c", "model": "c"},
    ]


def test_what_is_unknown_is_absent_not_invented() -> None:
    shown = document(model_cards.show(NAMELESS))
    assert shown["model_info"] == {}
    assert "modified_at" not in shown
    assert shown["details"]["family"] == "" and shown["details"]["families"] is None
    (tag,) = document(model_cards.tags([NAMELESS]))["models"]
    assert not {"size", "modified_at"} & set(tag)
    assert not {"context_length", "embedding_length"} & set(tag["details"])
    (running,) = document(model_cards.resident([dataclasses.replace(NAMELESS, resident=True)], epoch_ns=NOW))["models"]
    assert not {"size", "size_vram", "context_length"} & set(running)
    assert not {"max_model_len", "created"} & set(document(model_cards.model(NAMELESS, "cogito")))
    assert document(model_cards.anthropic_model(NAMELESS, "cogito"))["created_at"] == "1970-01-01T00:00:00Z"


def test_numbers_of_an_unknown_architecture_belong_to_none() -> None:
    card = dataclasses.replace(NAMELESS, context_length=512, embedding_length=384)
    assert document(model_cards.show(card))["model_info"] == {
        "general.context_length": 512,
        "general.embedding_length": 384,
    }


def test_the_context_is_that_of_the_engine_else_that_of_the_training() -> None:
    trained = dataclasses.replace(QWEN, context_length=None, trained_context_length=40960)
    assert document(model_cards.show(trained))["model_info"]["qwen3.context_length"] == 40960
    assert document(model_cards.tags([trained]))["models"][0]["details"]["context_length"] == 40960
    assert "context_length" not in document(model_cards.resident([trained], epoch_ns=NOW))["models"][0]
    assert "max_model_len" not in document(model_cards.model(trained, "qwen3:8b")), "what is served nobody knows"
    served = dataclasses.replace(trained, context_length=8192)
    assert document(model_cards.show(served))["model_info"]["qwen3.context_length"] == 8192


@given(st.sets(st.sampled_from(["completion", "tools", "thinking", "vision", "embedding", "insert"])))
def test_the_template_agrees_with_the_capabilities(capabilities: set[str]) -> None:
    """By what clients look for: LiteLLM for `tools` in any case, Continue for `.Suffix`, Ollama for its variables."""
    able = capabilities if "completion" in capabilities else set()
    shown = document(model_cards.show(dataclasses.replace(QWEN, capabilities=tuple(sorted(capabilities)))))
    template = shown["template"]
    assert ("tools" in template.lower()) is ("tools" in able)
    assert (".Suffix" in template) is ("insert" in able)
    assert (".Thinking" in template) is ("thinking" in able)
    assert (".Messages" in template) is ("completion" in able)
    assert template.count("{{ if") + template.count("{{ range") == template.count("{{ end }}")
    assert template in shown["modelfile"]
    assert set(shown["capabilities"]) == capabilities


def test_parameters_are_shown_as_ollama_shows_those_of_a_modelfile() -> None:
    recorded = recordings.load("ollama/87-show-derived").document
    stated = {"num_ctx": 1024, "temperature": 0.1}
    shown = document(model_cards.show(dataclasses.replace(QWEN, parameters=stated)))
    assert shown["parameters"] == recorded["parameters"]
    assert all(
        line in shown["modelfile"].splitlines() for line in ("PARAMETER num_ctx 1024", "PARAMETER temperature 0.1")
    )
    stops = document(model_cards.show(dataclasses.replace(QWEN, parameters={"stop": ["<|end|>", "\n"], "top_p": 1.0})))
    assert [line.split(maxsplit=1) for line in stops["parameters"].splitlines()] == [
        ["stop", '"<|end|>"'],
        ["stop", r'"\n"'],
        ["top_p", "1"],
    ]
    assert "parameters" not in document(model_cards.show(QWEN))
