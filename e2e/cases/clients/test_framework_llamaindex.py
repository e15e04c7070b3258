"""LlamaIndex's models and embeddings of both kinds, Ollama's and OpenAI's."""

from collections.abc import Callable
from typing import Any

import pytest
from clients_pool import ASK, ASK_FOR_TOOL, Models, png
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, MessageRole, TextBlock
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.ollama import OllamaEmbedding
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.ollama import Ollama
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

from modelpool_sidecar.tests.gateway.processes import Program

Model = Callable[..., FunctionCallingLLM]
pytestmark = [
    # LlamaIndex leaves its HTTP clients to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.usefixtures("collected"),
]


class Answer(BaseModel):
    """An answer."""

    ok: bool
    word: str


def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"22 degrees in {city}"


@pytest.fixture(params=["ollama", "openai"])
def model(gate: Program, request: pytest.FixtureRequest) -> Model:
    """Makes a model."""

    def make(name: str, **more: Any) -> FunctionCallingLLM:
        if request.param == "ollama":
            return Ollama(model=name, base_url=gate.url, request_timeout=60, context_window=8192, **more)
        return OpenAILike(
            model=name,
            api_base=gate.url + "/v1",
            api_key="none",
            is_chat_model=True,
            is_function_calling_model=True,
            should_use_structured_outputs=True,
            max_retries=0,
            **more,
        )

    return make


def said(text: str) -> list[ChatMessage]:
    return [ChatMessage(role=MessageRole.USER, content=text)]


def test_chat(model: Model, models: Models) -> None:
    assert model(models.sees).chat(said(ASK)).message.content
    assert model(models.sees).complete(ASK).text


def test_stream(model: Model, models: Models) -> None:
    assert len([part for part in model(models.sees).stream_chat(said(ASK)) if part.delta]) > 1


async def test_stream_without_blocking(model: Model, models: Models) -> None:
    parts = await model(models.sees).astream_chat(said(ASK))
    assert len([part async for part in parts if part.delta]) > 1


def test_tools(model: Model, models: Models) -> None:
    tool = FunctionTool.from_defaults(get_weather)
    chosen = model(models.thinks)
    answer = chosen.chat_with_tools([tool], user_msg=ASK_FOR_TOOL)
    calls = chosen.get_tool_calls_from_response(answer)
    assert [(call.tool_name, list(call.tool_kwargs)) for call in calls] == [("get_weather", ["city"])]


def test_structured_output(model: Model, models: Models) -> None:
    found = model(models.sees).as_structured_llm(Answer).chat(said(ASK)).raw
    assert isinstance(found, Answer)


def test_vision(model: Model, models: Models) -> None:
    blocks: Any = [TextBlock(text="What is this?"), ImageBlock(image=png(), image_mimetype="image/png")]
    assert model(models.sees).chat([ChatMessage(role=MessageRole.USER, blocks=blocks)]).message.content


def test_thinking(gate: Program, models: Models) -> None:
    chosen = Ollama(model=models.thinks, base_url=gate.url, request_timeout=60, context_window=8192, thinking=True)
    blocks = chosen.chat(said(ASK)).message.blocks
    assert "thinking" in [block.block_type for block in blocks]


@pytest.mark.parametrize("kind", ["ollama", "openai"])
def test_embeddings(gate: Program, models: Models, kind: str) -> None:
    embedder: BaseEmbedding = (
        OllamaEmbedding(model_name=models.embeds, base_url=gate.url)
        if kind == "ollama"
        else OpenAILikeEmbedding(model_name=models.embeds, api_base=gate.url + "/v1", api_key="none", max_retries=0)
    )
    assert len(embedder.get_text_embedding_batch(["one", "two"])) == 2
    assert embedder.get_query_embedding("one")
