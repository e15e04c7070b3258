"""The clients that people use, unchanged, against the gateway as a program with simulated engines behind it.

Every call of Ollama's and OpenAI's Python clients that both engines have is made twice: for a model of vLLM (through
the translators) and for a model of Ollama (untouched).
"""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import ollama
import openai
import pytest

from . import processes
from .processes import Program

VLLM, OLLAMA, EMBEDDING, EMBEDDING_VLLM = "qwen3:8b", "cogito:8b", "nomic-embed-text:latest", "embed:vllm"
ASK: Any = [{"role": "user", "content": "Say something short."}]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
BOTH = pytest.mark.parametrize("model", [VLLM, OLLAMA])


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("clients")
    parsers = ("--reasoning-parser", "qwen3", "--enable-auto-tool-choice", "--tool-call-parser", "hermes")
    with (
        processes.vllm(folder, VLLM, *parsers) as vllm,
        processes.vllm(folder, EMBEDDING_VLLM, "--runner", "pooling") as pooling,
        processes.ollama(folder, OLLAMA, EMBEDDING) as engine,
    ):
        rows = (
            (VLLM, "vllm", vllm.url, ["completion", "tools", "thinking"]),
            (EMBEDDING_VLLM, "vllm", pooling.url, ["embedding"]),
            (OLLAMA, "ollama", engine.url, ["completion", "tools"]),
            (EMBEDDING, "ollama", engine.url, ["embedding"]),
        )
        models = [
            {
                "name": name,
                "capabilities": capabilities,
                "contextLength": 8192,
                "backends": [{"engine": kind, "url": url, "model": name, "maxConcurrency": 4}],
            }
            for name, kind, url, capabilities in rows
        ]
        routes = {"version": 1, "pool": {"namespace": "llm", "name": "agentic"}, "models": models}
        with processes.gateway(folder, routes) as program:
            yield program


@pytest.fixture
def native(gate: Program) -> Iterator[ollama.Client]:
    with ollama.Client(gate.url) as client:
        yield client


@pytest.fixture(params=["/v1", "/openai/v1", "/ollama/v1"])
def openai_client(gate: Program, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=gate.url + request.param, api_key="none", max_retries=0) as client:
        yield client


@BOTH
def test_ollama_chat(native: ollama.Client, model: str) -> None:
    answer = native.chat(model, ASK)
    assert (answer.model, answer.done, answer.done_reason) == (model, True, "stop")
    assert answer.message.content
    parts = list(native.chat(model, ASK, stream=True, options={"num_predict": 5, "temperature": 0}))
    assert len(parts) > 1
    assert (parts[-1].done, parts[-1].done_reason, parts[-1].eval_count) == (True, "length", 5)


@BOTH
def test_ollama_generate(native: ollama.Client, model: str) -> None:
    answer = native.generate(model, "Say something", options={"num_predict": 4})
    assert (answer.model, answer.done_reason, bool(answer.response or answer.thinking)) == (model, "length", True)
    parts = list(native.generate(model, "Say something", stream=True, system="Be brief"))
    assert parts[-1].done_reason == "stop"
    assert native.generate(model, "").done_reason == "load"


@BOTH
def test_ollama_tools(native: ollama.Client, model: str) -> None:
    answer = native.chat(model, [{"role": "user", "content": "Use get_weather for Paris"}], tools=[TOOL])
    assert answer.message.tool_calls
    call = answer.message.tool_calls[0].function
    assert (call.name, list(call.arguments)) == ("get_weather", ["city"])


def test_ollama_thinking(native: ollama.Client) -> None:
    answer = native.chat(VLLM, ASK, think=True)
    assert answer.message.thinking
    assert not native.chat(VLLM, ASK, think=False).message.thinking


@pytest.mark.parametrize("model", [EMBEDDING, EMBEDDING_VLLM])
def test_ollama_embeddings(native: ollama.Client, model: str) -> None:
    assert len(native.embed(model, ["one", "two"]).embeddings) == 2
    assert native.embeddings(model, "one").embedding


def test_ollama_asks_about_models(native: ollama.Client, gate: Program) -> None:
    assert {one.model for one in native.list().models} == {VLLM, OLLAMA, EMBEDDING, EMBEDDING_VLLM}
    assert {one.model for one in native.ps().models} == {VLLM, OLLAMA, EMBEDDING, EMBEDDING_VLLM}
    shown = native.show(VLLM)
    assert shown.capabilities == ["completion", "tools", "thinking"]
    assert processes.get(gate.url + "/api/version")[0] == 200


def test_ollama_errors(native: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match="model 'nope' not found") as caught:
        native.chat("nope", ASK)
    assert caught.value.status_code == 404
    with pytest.raises(ollama.ResponseError, match="not found"):
        native.show("nope")
    for call in (native.pull, native.push, native.delete):
        with pytest.raises(ollama.ResponseError) as caught:
            call(VLLM)
        assert caught.value.status_code == 403


@BOTH
def test_openai_chat(openai_client: openai.OpenAI, model: str) -> None:
    answer = openai_client.chat.completions.create(model=model, messages=ASK)
    assert (answer.model, answer.choices[0].finish_reason) == (model, "stop")
    stream = openai_client.chat.completions.create(
        model=model,
        messages=ASK,
        stream=True,
        max_tokens=6,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert [one.choices[0].finish_reason for one in chunks if one.choices][-1] == "length"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 6


@BOTH
def test_openai_completions_and_responses(openai_client: openai.OpenAI, model: str) -> None:
    assert openai_client.completions.create(model=model, prompt="Say", max_tokens=3).choices[0].text
    assert list(openai_client.completions.create(model=model, prompt="Say", max_tokens=3, stream=True))
    assert openai_client.responses.create(model=model, input="Say something").model == model


@pytest.mark.parametrize("model", [EMBEDDING, EMBEDDING_VLLM])
def test_openai_embeddings(openai_client: openai.OpenAI, model: str) -> None:
    assert len(openai_client.embeddings.create(model=model, input=["one", "two"]).data) == 2


def test_openai_models_and_errors(openai_client: openai.OpenAI) -> None:
    assert {one.id for one in openai_client.models.list()} == {VLLM, OLLAMA, EMBEDDING, EMBEDDING_VLLM}
    assert openai_client.models.retrieve(VLLM).id == VLLM
    with pytest.raises(openai.NotFoundError, match="nope"):
        openai_client.chat.completions.create(model="nope", messages=ASK)
    with pytest.raises(openai.NotFoundError):
        openai_client.models.retrieve("nope")
    with pytest.raises(openai.BadRequestError):
        openai_client.chat.completions.create(model=VLLM, messages=ASK, temperature=-1)


@BOTH
@pytest.mark.parametrize("stream", [False, True])
def test_anthropic_messages(gate: Program, model: str, stream: bool) -> None:
    body = json.dumps({"model": model, "max_tokens": 5, "messages": ASK, "stream": stream}).encode()
    asked = urllib.request.Request(gate.url + "/v1/messages", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as response:
        text = response.read().decode()
        assert response.headers["X-ModelPool-Backend"] == ("vllm" if model == VLLM else "ollama")
    assert ("event: message_stop" in text) if stream else json.loads(text)["role"] == "assistant"
