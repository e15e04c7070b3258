"""Haystack's generators and embedders for Ollama, OpenAI and Anthropic."""

import json
import os

from haystack.components.embedders import OpenAIDocumentEmbedder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage, Document, ImageContent
from haystack.tools import Tool
from haystack.utils import Secret
from haystack_integrations.components.embedders.ollama import OllamaDocumentEmbedder
from haystack_integrations.components.generators.anthropic import AnthropicChatGenerator
from haystack_integrations.components.generators.ollama import OllamaChatGenerator

KEY = Secret.from_token("none")


class LeavingError(Exception):
    """Raised by the callback that takes pieces: the one way out of a stream here."""


def calls(way):
    """The calls that this way has."""

    def generator(url, name, **more):
        if way == "ollama":
            return OllamaChatGenerator(model=name, url=url, timeout=60, **more)
        if way == "openai":
            return OpenAIChatGenerator(model=name, api_base_url=f"{url}/v1", api_key=KEY, max_retries=0, **more)
        os.environ["ANTHROPIC_BASE_URL"] = url  # the component has no other word for it
        return AnthropicChatGenerator(model=name, api_key=KEY, max_retries=0, **more)

    def asked(url, name, messages, **more):
        return generator(url, name, **more).run(messages)["replies"][0]

    def chat(url, models, said):
        answer = asked(url, models["sees"], [ChatMessage.from_user(said["ask"])])
        usage = answer.meta["usage"]
        return {"text": answer.text, "tokens": usage.get("completion_tokens") or usage.get("output_tokens")}

    def stream(url, models, said):
        pieces = []

        def take(chunk):
            if chunk.content:
                pieces.append(chunk.content)

        answer = asked(url, models["sees"], [ChatMessage.from_user(said["ask"])], streaming_callback=take)
        return {"pieces": len(pieces), "text": answer.text}

    def tools(url, models, said):
        told = said["tool"]["function"]
        tool = Tool(told["name"], told["description"], told["parameters"], function=lambda city: said["result"])
        messages = [ChatMessage.from_user(said["ask_for_tool"])]
        first = asked(url, models["thinks"], messages, tools=[tool])
        (call,) = first.tool_calls
        messages += [first, ChatMessage.from_tool(said["result"], origin=call)]
        second = asked(url, models["thinks"], messages, tools=[tool])
        return {"name": call.tool_name, "arguments": call.arguments, "ended": bool(second.text)}

    def structured(url, models, said):
        if way == "ollama":
            more = {"response_format": said["schema"]}
        else:
            schema = {"name": "answer", "schema": said["schema"], "strict": True}
            more = {"generation_kwargs": {"response_format": {"type": "json_schema", "json_schema": schema}}}
        return json.loads(asked(url, models["sees"], [ChatMessage.from_user(said["ask"])], **more).text)

    def embeddings(url, models, said):
        documents = [Document(content="one"), Document(content="two")]
        if way == "ollama":
            embedder = OllamaDocumentEmbedder(model=models["embeds"], url=url, progress_bar=False)
        else:
            embedder = OpenAIDocumentEmbedder(
                model=models["embeds"], api_base_url=f"{url}/v1", api_key=KEY, progress_bar=False, max_retries=0
            )
        return [len(one.embedding) for one in embedder.run(documents)["documents"]]

    def image(url, models, said):
        parts = ["What is this?", ImageContent(base64_image=said["png"], mime_type="image/png")]
        return {"text": asked(url, models["sees"], [ChatMessage.from_user(content_parts=parts)]).text}

    def thinking(url, models, said):
        more = {
            "ollama": {"think": True},
            "openai": {"generation_kwargs": {"reasoning_effort": "high"}},
            "anthropic": {
                "generation_kwargs": {"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}}
            },
        }
        answer = asked(url, models["thinks"], [ChatMessage.from_user(said["ask"])], **more[way])
        return {"thinking": answer.reasoning and answer.reasoning.reasoning_text, "text": answer.text}

    def leaving(url, models, said):
        pieces = 0

        def take(chunk):
            nonlocal pieces
            pieces += bool(chunk.content)
            if pieces == 3:
                raise LeavingError

        try:
            asked(url, models["endless"], [ChatMessage.from_user(said["ask"])], streaming_callback=take)
        except LeavingError:
            return {"pieces": pieces}
        return {"pieces": -1}

    found = {one.__name__: one for one in (chat, stream, tools, image, thinking, leaving)}
    return found if way == "anthropic" else {**found, "structured": structured, "embeddings": embeddings}
