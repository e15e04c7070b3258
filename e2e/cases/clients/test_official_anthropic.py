"""Anthropic's own Python client."""

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from clients_pool import ALL_NAMES, ASK, ASK_FOR_TOOL, OLLAMA, VLLM, WEATHER_SCHEMA, Models, png_base64

from modelpool_sidecar.tests.gateway.processes import Program

TOOLS: Any = [{"name": "get_weather", "description": "Weather of a city", "input_schema": WEATHER_SCHEMA}]


@pytest.fixture
def client(gate: Program) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gate.url, api_key="none", max_retries=0) as made:
        yield made


def said(content: Any) -> Any:
    return [{"role": "user", "content": content}]


def test_messages(client: anthropic.Anthropic, models: Models) -> None:
    answer = client.messages.create(model=models.sees, max_tokens=50, messages=said(ASK), system="Be brief")
    assert (answer.model, answer.role) == (models.sees, "assistant")
    assert answer.content[0].type == "text"
    assert answer.usage.output_tokens


def test_stream(client: anthropic.Anthropic, models: Models) -> None:
    with client.messages.stream(model=models.sees, max_tokens=5, messages=said(ASK)) as stream:
        assert "".join(stream.text_stream)
        assert stream.get_final_message().stop_reason == "max_tokens"


def test_tools(client: anthropic.Anthropic, models: Models) -> None:
    answer = client.messages.create(model=models.thinks, max_tokens=500, messages=said(ASK_FOR_TOOL), tools=TOOLS)
    calls = [block for block in answer.content if block.type == "tool_use"]
    assert [(call.name, list(call.input)) for call in calls] == [("get_weather", ["city"])]
    assert answer.stop_reason == "tool_use"


def test_thinking(client: anthropic.Anthropic, models: Models) -> None:
    thinking: Any = {"type": "enabled", "budget_tokens": 1024}
    answer = client.messages.create(model=models.thinks, max_tokens=2000, messages=said(ASK), thinking=thinking)
    assert "thinking" in [block.type for block in answer.content]


def test_vision(client: anthropic.Anthropic, models: Models) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": png_base64()}
    look = said([{"type": "image", "source": source}, {"type": "text", "text": "What is this?"}])
    assert client.messages.create(model=models.sees, max_tokens=50, messages=look).content
    with pytest.raises(anthropic.BadRequestError, match="does not support vision"):
        client.messages.create(model=models.thinks, max_tokens=50, messages=look)


def test_counting_tokens(client: anthropic.Anthropic) -> None:
    assert client.messages.count_tokens(model=VLLM.thinks, messages=said(ASK)).input_tokens > 0
    with pytest.raises(anthropic.NotFoundError, match="does not offer /v1/messages/count_tokens") as caught:
        client.messages.count_tokens(model=OLLAMA.thinks, messages=said(ASK))
    assert caught.value.status_code == 404


def test_models_and_errors(client: anthropic.Anthropic) -> None:
    assert {one.id for one in client.models.list()} == ALL_NAMES
    assert client.models.retrieve(VLLM.thinks).id == VLLM.thinks
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("nope")
    with pytest.raises(anthropic.NotFoundError, match="nope"):
        client.messages.create(model="nope", max_tokens=5, messages=said(ASK))
