"""Ollama's own Python client."""

import json
from collections.abc import Iterator
from typing import Any

import ollama
import pytest
from clients_pool import ALL_NAMES, ANSWER_SCHEMA, ASK, ASK_FOR_TOOL, OLLAMA, VLLM, WEATHER_TOOL, Models, png

from modelpool_sidecar.tests.gateway.processes import Program


@pytest.fixture(params=["", "/ollama"])
def client(gate: Program, request: pytest.FixtureRequest) -> Iterator[ollama.Client]:
    with ollama.Client(host=gate.url + request.param) as made:
        yield made


def said(text: str, **more: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text, **more}]


def test_chat(client: ollama.Client, models: Models) -> None:
    answer = client.chat(models.sees, said(ASK))
    assert (answer.model, answer.done, answer.done_reason) == (models.sees, True, "stop")
    assert answer.message.content
    assert answer.eval_count
    assert answer.eval_duration


def test_stream(client: ollama.Client, models: Models) -> None:
    parts = list(client.chat(models.sees, said(ASK), stream=True, options={"num_predict": 5, "seed": 1}))
    assert len(parts) > 2
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert (parts[-1].done_reason, parts[-1].eval_count) == ("length", 5)


def test_generate(client: ollama.Client, models: Models) -> None:
    answer = client.generate(models.sees, ASK, system="Be brief", options={"num_predict": 4})
    assert (answer.model, answer.done_reason) == (models.sees, "length")
    assert "".join(part.response for part in client.generate(models.sees, ASK, stream=True))
    assert client.generate(models.sees, "").done_reason == "load"


def test_tools(client: ollama.Client, models: Models) -> None:
    answer = client.chat(models.thinks, said(ASK_FOR_TOOL), tools=[WEATHER_TOOL])
    assert answer.message.tool_calls
    call = answer.message.tool_calls[0].function
    assert (call.name, list(call.arguments)) == ("get_weather", ["city"])
    turns = [*said(ASK_FOR_TOOL), answer.message, {"role": "tool", "tool_name": "get_weather", "content": "22"}]
    assert client.chat(models.thinks, turns, tools=[WEATHER_TOOL]).done


def test_tools_in_a_stream(client: ollama.Client, models: Models) -> None:
    parts = client.chat(models.thinks, said(ASK_FOR_TOOL), tools=[WEATHER_TOOL], stream=True)
    calls = [call for part in parts for call in part.message.tool_calls or []]
    assert [call.function.name for call in calls] == ["get_weather"]
    assert isinstance(calls[0].function.arguments["city"], str)


def test_structured_output(client: ollama.Client, models: Models) -> None:
    answer = client.chat(models.sees, said(ASK), format=ANSWER_SCHEMA)
    assert set(json.loads(answer.message.content or "")) == {"ok", "word"}
    assert isinstance(json.loads(client.chat(models.sees, said(ASK), format="json").message.content or ""), dict)


def test_thinking(client: ollama.Client, models: Models) -> None:
    answer = client.chat(models.thinks, said(ASK), think=True)
    assert answer.message.thinking
    assert answer.message.content
    parts = list(client.chat(models.thinks, said(ASK), think=True, stream=True))
    assert any(part.message.thinking for part in parts)
    assert not client.chat(models.thinks, said(ASK), think=False).message.thinking
    with pytest.raises(ollama.ResponseError, match="does not support thinking") as caught:
        client.chat(models.sees, said(ASK), think=True)
    assert caught.value.status_code == 400


def test_embeddings(client: ollama.Client, models: Models) -> None:
    found = client.embed(models.embeds, ["one", "two"])
    assert len(found.embeddings) == 2
    assert sum(value * value for value in found.embeddings[0]) == pytest.approx(1, abs=1e-3)
    assert client.embeddings(models.embeds, "one").embedding


def test_vision(client: ollama.Client, models: Models) -> None:
    assert client.chat(models.sees, said("What is this?", images=[png()])).message.content
    assert client.generate(models.sees, "What is this?", images=[png()]).response
    with pytest.raises(ollama.ResponseError, match="does not support vision"):
        client.chat(models.thinks, said("What is this?", images=[png()]))


def test_logprobs(client: ollama.Client, models: Models) -> None:
    answer = client.chat(models.sees, said(ASK), logprobs=True, top_logprobs=2, options={"num_predict": 3})
    assert answer.logprobs
    assert len(answer.logprobs[0].top_logprobs or []) == 2


def test_models(client: ollama.Client) -> None:
    assert {one.model for one in client.list().models} == ALL_NAMES
    client.embed(OLLAMA.embeds, "loads it")  # what Ollama holds it says itself
    for name in (OLLAMA.thinks, OLLAMA.sees, OLLAMA.endless):
        client.generate(name)
    assert {one.model for one in client.ps().models} == ALL_NAMES
    assert client.show(VLLM.thinks).capabilities == ["completion", "tools", "thinking"]
    with pytest.raises(ollama.ResponseError, match="model 'nope:latest' not found"):
        client.show("nope")


def test_errors(client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match="model 'nope' not found") as caught:
        list(client.chat("nope", said(ASK), stream=True))
    assert caught.value.status_code == 404
    for call in (client.pull, client.push, client.delete):
        with pytest.raises(ollama.ResponseError) as refused:
            call(VLLM.thinks)
        assert refused.value.status_code == 403
