"""OpenAI's own Python client."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from clients_pool import ALL_NAMES, ANSWER_SCHEMA, ASK, ASK_FOR_TOOL, OLLAMA, VLLM, WEATHER_TOOL, Models, png_uri

from modelpool_sidecar.tests.gateway.processes import Program

TOOLS: Any = [WEATHER_TOOL]
FORMAT: Any = {"type": "json_schema", "json_schema": {"name": "answer", "schema": ANSWER_SCHEMA}}


@pytest.fixture(params=["/v1", "/openai/v1"])
def client(gate: Program, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=gate.url + request.param, api_key="none", max_retries=0) as made:
        yield made


def said(text: str) -> Any:
    return [{"role": "user", "content": text}]


def test_chat(client: openai.OpenAI, models: Models) -> None:
    answer = client.chat.completions.create(model=models.sees, messages=said(ASK))
    assert (answer.model, answer.choices[0].finish_reason) == (models.sees, "stop")
    assert answer.choices[0].message.content
    assert answer.usage
    assert answer.usage.completion_tokens


def test_stream(client: openai.OpenAI, models: Models) -> None:
    chunks = list(
        client.chat.completions.create(
            model=models.sees, messages=said(ASK), stream=True, max_tokens=6, stream_options={"include_usage": True}
        )
    )
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    assert chunks[-1].usage
    assert chunks[-1].usage.completion_tokens == 6


def test_completions_and_responses(client: openai.OpenAI, models: Models) -> None:
    assert client.completions.create(model=models.sees, prompt=ASK, max_tokens=3).choices[0].text
    assert list(client.completions.create(model=models.sees, prompt=ASK, max_tokens=3, stream=True))
    assert client.responses.create(model=models.sees, input=ASK).output_text
    events = [event.type for event in client.responses.create(model=models.sees, input=ASK, stream=True)]
    assert (events[0], events[-1]) == ("response.created", "response.completed")


def test_tools(client: openai.OpenAI, models: Models) -> None:
    answer = client.chat.completions.create(model=models.thinks, messages=said(ASK_FOR_TOOL), tools=TOOLS)
    assert answer.choices[0].finish_reason == "tool_calls"
    calls = answer.choices[0].message.tool_calls or []
    assert isinstance(calls[0], openai.types.chat.ChatCompletionMessageFunctionToolCall)
    assert calls[0].function.name == "get_weather"
    assert list(json.loads(calls[0].function.arguments)) == ["city"]


def test_structured_output(client: openai.OpenAI, models: Models) -> None:
    answer = client.chat.completions.create(model=models.sees, messages=said(ASK), response_format=FORMAT)
    assert set(json.loads(answer.choices[0].message.content or "")) == {"ok", "word"}


def test_thinking(client: openai.OpenAI, models: Models) -> None:
    answer = client.chat.completions.create(model=models.thinks, messages=said(ASK), reasoning_effort="high")
    assert (answer.choices[0].message.model_extra or {})["reasoning"]
    stream = client.chat.completions.create(
        model=models.thinks, messages=said(ASK), stream=True, reasoning_effort="high"
    )
    assert any((chunk.choices[0].delta.model_extra or {}).get("reasoning") for chunk in stream if chunk.choices)


def test_embeddings(client: openai.OpenAI, models: Models) -> None:
    found = client.embeddings.create(model=models.embeds, input=["one", "two"])  # as base64, which the client unpacks
    assert len(found.data) == 2
    floats = client.embeddings.create(model=models.embeds, input="one", encoding_format="float")
    assert floats.data[0].embedding == pytest.approx(found.data[0].embedding, abs=1e-5)


def test_vision(client: openai.OpenAI, models: Models) -> None:
    parts: Any = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": png_uri()}}]
    messages: Any = [{"role": "user", "content": parts}]
    assert client.chat.completions.create(model=models.sees, messages=messages).choices[0].message.content
    with pytest.raises(openai.BadRequestError, match="does not support vision"):
        client.chat.completions.create(model=models.thinks, messages=messages)


def test_models_and_errors(client: openai.OpenAI) -> None:
    assert {one.id for one in client.models.list()} == ALL_NAMES
    assert client.models.retrieve(VLLM.thinks).id == VLLM.thinks
    with pytest.raises(openai.NotFoundError, match="nope"):
        client.chat.completions.create(model="nope", messages=said(ASK))
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nope")
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=VLLM.thinks, messages=said(ASK), temperature=-1)


def test_what_an_engine_lacks_is_refused_by_name(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="does not offer /v1/rerank") as caught:
        client.post("/rerank", body={"model": OLLAMA.thinks, "query": "x", "documents": ["y"]}, cast_to=object)
    assert caught.value.status_code == 404
