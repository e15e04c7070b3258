"""LangChain's chat models and embeddings of both kinds, Ollama's and OpenAI's."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from clients_pool import ANSWER_SCHEMA, ASK, ASK_FOR_TOOL, WEATHER_TOOL, Models, png_uri
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_ollama import ChatOllama, OllamaEmbeddings
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from modelpool_sidecar.tests.gateway.processes import Program

Chat = Callable[..., BaseChatModel]
pytestmark = [
    # LangChain leaves its HTTP clients to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.usefixtures("collected"),
]


@pytest.fixture(params=["ollama", "openai"])
def chat(gate: Program, request: pytest.FixtureRequest) -> Chat:
    """Makes a chat model."""

    def make(model: str, **more: Any) -> BaseChatModel:
        if request.param == "ollama":
            return ChatOllama(model=model, base_url=gate.url, **more)
        return ChatOpenAI(model=model, base_url=gate.url + "/v1", api_key="none", max_retries=0, **more)

    return make


def test_chat(chat: Chat, models: Models) -> None:
    answer = chat(models.sees).invoke(ASK)
    assert answer.text
    assert answer.usage_metadata
    assert answer.usage_metadata["output_tokens"]


def test_stream(chat: Chat, models: Models) -> None:
    chunks = list(chat(models.sees).stream(ASK))
    assert len([chunk for chunk in chunks if chunk.text]) > 1
    assert all(isinstance(chunk, AIMessageChunk) for chunk in chunks)


async def test_stream_without_blocking(chat: Chat, models: Models) -> None:
    assert len([chunk async for chunk in chat(models.sees).astream(ASK) if chunk.text]) > 1


def test_tools(chat: Chat, models: Models) -> None:
    bound = chat(models.thinks).bind_tools([WEATHER_TOOL])
    answer = bound.invoke(ASK_FOR_TOOL)
    assert [(call["name"], list(call["args"])) for call in answer.tool_calls] == [("get_weather", ["city"])]
    told = ToolMessage("22", tool_call_id=answer.tool_calls[0]["id"] or "", name="get_weather")
    assert bound.invoke([HumanMessage(ASK_FOR_TOOL), answer, told])


def test_structured_output(chat: Chat, models: Models) -> None:
    found = chat(models.sees).with_structured_output(ANSWER_SCHEMA, method="json_schema").invoke(ASK)
    assert set(found) == {"ok", "word"}


def test_json(chat: Chat, models: Models) -> None:
    found = chat(models.sees).with_structured_output(ANSWER_SCHEMA, method="json_mode").invoke("Answer in JSON")
    assert isinstance(found, dict)


def test_vision(chat: Chat, models: Models) -> None:
    parts: Any = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": png_uri()}}]
    assert chat(models.sees).invoke([HumanMessage(content=parts)]).text


def test_thinking_of_ollama(gate: Program, models: Models) -> None:
    model = ChatOllama(model=models.thinks, base_url=gate.url, reasoning=True)
    assert model.invoke(ASK).additional_kwargs["reasoning_content"]
    thoughts = [chunk.additional_kwargs.get("reasoning_content") for chunk in model.stream(ASK)]
    assert any(thoughts)
    quiet = ChatOllama(model=models.thinks, base_url=gate.url, reasoning=False).invoke(ASK)
    assert not quiet.additional_kwargs.get("reasoning_content")


def test_thinking_of_openai(gate: Program, models: Models) -> None:
    """LangChain shows no reasoning of other servers' chat completions; the answer must not contain it either."""
    model = ChatOpenAI(model=models.thinks, base_url=gate.url + "/v1", api_key="none", reasoning_effort="high")
    answer = model.invoke(ASK)
    assert answer.text
    assert "<think>" not in json.dumps(answer.content)


@pytest.mark.parametrize("kind", ["ollama", "openai"])
def test_embeddings(gate: Program, models: Models, kind: str) -> None:
    embedder: Embeddings = (
        OllamaEmbeddings(model=models.embeds, base_url=gate.url)
        if kind == "ollama"
        else OpenAIEmbeddings(
            model=models.embeds, base_url=gate.url + "/v1", api_key="none", check_embedding_ctx_length=False
        )
    )
    assert len(embedder.embed_documents(["one", "two"])) == 2
    assert len(embedder.embed_query("one")) == len(embedder.embed_query("two"))
