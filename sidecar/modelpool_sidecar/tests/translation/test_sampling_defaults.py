"""What a request to Ollama's API does not say of sampling: as the model does, else as Ollama, option for option."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.translation import Translation, option_values

from .asking import BACKEND, chat, exchange, prompt

OLLAMA = {"temperature": 0.8, "top_k": 40, "top_p": 0.9}
OPTIONS = st.dictionaries(
    st.sampled_from(["temperature", "top_k", "top_p", "min_p", "seed", "num_predict"]),
    st.one_of(st.none(), st.integers(0, 1)),
)


def sent(body: dict[str, Any], parameters: dict[str, Any], call: Translation = Translation.CHAT) -> dict[str, Any]:
    """What of sampling vLLM is asked."""
    asked: dict[str, Any] = json.loads(exchange(call, body, dataclasses.replace(BACKEND, parameters=parameters)).body)
    for name in ("model", "stream", "stream_options", "messages", "prompt"):
        asked.pop(name, None)
    return asked


@given(options=OPTIONS, parameters=OPTIONS)
def test_the_request_goes_before_the_model_and_the_model_before_ollama(
    options: dict[str, Any], parameters: dict[str, Any]
) -> None:
    stated = {name: value for name, value in parameters.items() if value is not None}
    merged = option_values.merged(options, stated)
    assert set(merged) == {*OLLAMA, *stated, *(name for name, value in options.items() if value is not None)}
    for name, value in merged.items():
        said = [one[name] for one in (options, stated, OLLAMA) if one.get(name) is not None]
        assert value == said[0]


@pytest.mark.parametrize("options", [None, {}, {"temperature": None, "num_ctx": None}])
def test_a_request_without_options_samples_as_ollama_does(options: dict[str, Any] | None) -> None:
    assert sent(chat(options=options), {}) == OLLAMA
    assert sent(prompt(options=options), {}, Translation.GENERATE) == OLLAMA
    raw = sent(prompt(options=options, raw=True), {}, Translation.GENERATE)
    assert {name: raw[name] for name in OLLAMA} == OLLAMA


def test_a_model_of_which_something_is_known_samples_as_it_says() -> None:
    qwen = {"temperature": 0.6, "top_k": 20, "top_p": 0.95}
    assert sent(chat(), qwen) == qwen
    llama = {"temperature": 0.6, "top_p": 0.9}
    assert sent(chat(), llama) == {**llama, "top_k": 40}
    stated = {"stop": ["END"], "num_predict": 9, "repeat_penalty": 1.2, "seed": 3, "top_k": 0}
    assert sent(chat(), stated) == {
        **OLLAMA,
        "top_k": -1,
        "stop": ["END"],
        "max_tokens": 9,
        "repetition_penalty": 1.2,
        "seed": 3,
    }


def test_a_request_takes_back_what_its_model_says() -> None:
    stated = {"num_predict": 9, "seed": 3, "stop": ["END"]}
    assert sent(chat(options={"num_predict": -1, "seed": -1, "stop": []}), stated) == OLLAMA
    assert sent(chat(options={"stop": ["X"]}), stated)["stop"] == ["X"]
    assert sent(chat(options={"temperature": 0}), stated)["temperature"] == 0


def test_what_is_vllms_own_default_is_left_to_it() -> None:
    """It may have read something else in the model's repository, and penalties cost it time."""
    assert not {"repetition_penalty", "presence_penalty", "frequency_penalty", "min_p", "seed"} & set(sent(chat(), {}))


@given(st.lists(st.tuples(OPTIONS, st.sampled_from([None, 2, 4096])), min_size=1, max_size=8))
def test_what_is_remembered_of_a_model_is_of_that_model(models: list[tuple[dict[str, Any], int | None]]) -> None:
    """Parameters that are new may lie where others lay before, and a model's context may change."""
    for parameters, context_length in models:
        stated = {name: value for name, value in parameters.items() if value is not None}
        backend = dataclasses.replace(BACKEND, parameters=stated, context_length=context_length)
        for _ in range(2):
            bare = json.loads(exchange(Translation.CHAT, chat(), backend).body)
            spelt = json.loads(exchange(Translation.CHAT, chat(options={**OLLAMA, **stated}), backend).body)
            assert bare == spelt
