"""pydantic-ai: its agents with OpenAI's chat completions, also under Ollama's name, and with Anthropic's messages."""

import base64

from asked import until_third
from pydantic import BaseModel, ConfigDict
from pydantic_ai import Agent, BinaryContent, Embedder
from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
from pydantic_ai.messages import ThinkingPart, ToolCallPart
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.ollama import OllamaProvider
from pydantic_ai.providers.openai import OpenAIProvider


class Answer(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="forbid")
    ok: bool
    word: str


def calls(way):
    """The calls that this way has."""

    def model(url, name):
        if way == "ollama":
            return OpenAIChatModel(name, provider=OllamaProvider(base_url=f"{url}/v1"))
        if way == "openai":
            return OpenAIChatModel(name, provider=OpenAIProvider(base_url=f"{url}/v1", api_key="none"))
        return AnthropicModel(name, provider=AnthropicProvider(base_url=url, api_key="none"))

    def chat(url, models, said):
        answer = Agent(model(url, models["sees"])).run_sync(said["ask"])
        return {"text": answer.output, "tokens": answer.usage.output_tokens}

    def stream(url, models, said):
        pieces = list(
            Agent(model(url, models["sees"])).run_stream_sync(said["ask"]).stream_text(delta=True, debounce_by=None)
        )
        return {"pieces": len(pieces), "text": "".join(pieces)}

    def tools(url, models, said):
        agent = Agent(model(url, models["thinks"]))

        @agent.tool_plain
        def get_weather(city: str) -> str:
            """Weather of a city."""
            return f"{said['result']} in {city}"

        answer = agent.run_sync(said["ask_for_tool"])
        parts = [part for message in answer.new_messages() for part in message.parts]
        (call,) = (part for part in parts if isinstance(part, ToolCallPart))
        return {"name": call.tool_name, "arguments": call.args_as_dict(), "ended": bool(answer.output)}

    def structured(url, models, said):
        found = Agent(model(url, models["sees"]), output_type=Answer).run_sync(said["ask"]).output
        return found.model_dump()

    def embeddings(url, models, said):
        embedder = OpenAIEmbeddingModel(models["embeds"], provider=OpenAIProvider(base_url=f"{url}/v1", api_key="none"))
        return [len(one) for one in Embedder(embedder).embed_documents_sync(["one", "two"]).embeddings]

    def image(url, models, said):
        picture = BinaryContent(base64.b64decode(said["png"]), media_type="image/png")
        return {"text": Agent(model(url, models["sees"])).run_sync(["What is this?", picture]).output}

    def thinking(url, models, said):
        settings = {"thinking": "high"}
        answer = Agent(model(url, models["thinks"]), model_settings=settings).run_sync(said["ask"])
        parts = [part for message in answer.new_messages() for part in message.parts]
        thoughts = "".join(part.content for part in parts if isinstance(part, ThinkingPart))
        return {"thinking": thoughts, "text": answer.output}

    def leaving(url, models, said):
        answer = Agent(model(url, models["endless"])).run_stream_sync(said["ask"])
        pieces = until_third(answer.stream_text(delta=True, debounce_by=None))
        return {"pieces": pieces}

    found = {one.__name__: one for one in (chat, stream, tools, structured, image, thinking, leaving)}
    return {**found, "embeddings": embeddings} if way == "openai" else found
