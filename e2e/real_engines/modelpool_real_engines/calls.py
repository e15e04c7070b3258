"""The table of calls: what is asked of an engine and of the gateway, in which dialect, of which model."""

import base64
import struct
import zlib
from typing import Any, Final

from .answers import Call

CHAT: Final = "tiny:latest"
EMBED: Final = "tiny-embed:latest"
ON_OLLAMA: Final = "swapped:latest"
"""Served by Ollama alone, so that the gateway passes it on."""
GUARDED: Final = "guarded:latest"
"""Served by vLLM, and by Ollama when vLLM is away."""

_SAY: Final = [{"role": "user", "content": "Say something."}]
_ENDLESS: Final = [{"role": "user", "content": "An endless story."}]
_DOCUMENT: Final = [{"role": "user", "content": "Give me a document."}]
_WEATHER: Final = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
_SCHEMA: Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city", "people"],
}


def _png() -> str:
    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    whole = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(b"\0\0\0\0")) + part(b"IEND", b"")
    return base64.b64encode(whole).decode()


def _both(name: str, path: str, body: dict[str, Any]) -> list[Call]:
    """The same call as a stream and as one document."""
    return [
        Call(name=f"{name}, stream", path=path, body={**body, "stream": True}),
        Call(name=name, path=path, body={**body, "stream": False}),
    ]


def _chat(name: str, model: str, messages: Any = None, **more: Any) -> list[Call]:
    body = {"model": model, "messages": _SAY if messages is None else messages, "think": False, **more}
    return _both(f"chat: {name}", "/api/chat", {key: value for key, value in body.items() if value is not ...})


def _generate(name: str, model: str, prompt: str = "Say something.", **more: Any) -> list[Call]:
    body = {"model": model, "prompt": prompt, "think": False, **more}
    return _both(f"generate: {name}", "/api/generate", {key: value for key, value in body.items() if value is not ...})


def ollama(model: str, embed: str) -> list[Call]:
    """Ollama's own dialect."""
    return [*_service(), *_texts(model), *_states(model, embed), *_embeddings(embed), *_faults(model)]


def _service() -> list[Call]:
    pages = ["/", "/api/version", "/api/tags", "/api/ps"]
    return [
        *(Call(name=f"{method} {path}", method=method, path=path) for path in pages for method in ("GET", "HEAD")),
        Call(name="unknown path", method="GET", path="/api/nothing"),
        Call(name="wrong method", method="GET", path="/api/chat"),
    ]


def _texts(model: str) -> list[Call]:
    tool_turn = [
        {"role": "user", "content": "Weather in Paris?"},
        {"role": "assistant", "tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Paris"}}}]},
        {"role": "tool", "tool_name": "get_weather", "content": "11 degrees"},
    ]
    turns = [{"role": "system", "content": "Be brief."}, *_SAY, {"role": "assistant", "content": "Yes."}, *_SAY]
    return [
        *_chat("plain", model),
        *_chat("stream by default", model, think=...)[:0],
        Call(name="chat: stream unset", path="/api/chat", body={"model": model, "messages": _SAY, "think": False}),
        *_chat("think unset", model, think=...),
        *_chat("think", model, think=True),
        *_chat("think, a level", model, think="high"),
        *_chat("system and turns", model, turns),
        *_chat("tools", model, tools=[_WEATHER]),
        *_chat("tool's answer", model, tool_turn, tools=[_WEATHER]),
        *_chat("num_predict", model, options={"num_predict": 5}),
        *_chat("num_predict 1", model, options={"num_predict": 1}),
        *_chat("stop", model, options={"stop": [" stony"]}),
        *_chat("all options", model, options=_options()),
        *_chat("unknown option", model, options={"wishes": 3, "num_predict": 3}),
        *_chat("format json", model, _DOCUMENT, format="json"),
        *_chat("format schema", model, _DOCUMENT, format=_SCHEMA),
        *_chat("logprobs", model, logprobs=True, options={"num_predict": 3}),
        *_chat("top_logprobs", model, logprobs=True, top_logprobs=2, options={"num_predict": 3}),
        *_chat("keep_alive", model, keep_alive="10m", options={"num_predict": 3}),
        *_chat("endless, cut", model, _ENDLESS, options={"num_predict": 40}),
        *_generate("plain", model),
        *_generate("think", model, think=True),
        *_generate("system", model, system="Be brief."),
        *_generate("raw", model, "rivers of", raw=True, options={"num_predict": 6}),
        *_generate("num_predict", model, options={"num_predict": 5}),
        *_generate("format json", model, "Give me a document.", format="json"),
        *_generate("logprobs", model, logprobs=True, options={"num_predict": 3}),
    ]


def _options() -> dict[str, Any]:
    return {
        "seed": 3,
        "temperature": 0,
        "top_k": 20,
        "top_p": 0.9,
        "min_p": 0.0,
        "num_predict": 8,
        "repeat_last_n": 32,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "num_ctx": 2048,
        "stop": ["never"],
    }


def _states(model: str, embed: str) -> list[Call]:
    return [
        *_both("load by generate", "/api/generate", {"model": model}),
        *_both("load by chat", "/api/chat", {"model": model, "messages": []}),
        Call(name="ps after load", method="GET", path="/api/ps"),
        Call(name="show", path="/api/show", body={"model": model}),
        Call(name="show by name", path="/api/show", body={"name": model}),
        Call(name="show verbose", path="/api/show", body={"model": model, "verbose": True}),
        Call(name="show, embedding", path="/api/show", body={"model": embed}),
        Call(name="name without tag", path="/api/chat", body={"model": model.partition(":")[0], "messages": []}),
        Call(name="name in capitals", path="/api/chat", body={"model": model.upper(), "messages": []}),
        *_both("unload by generate", "/api/generate", {"model": model, "keep_alive": 0}),
        *_both("unload by chat", "/api/chat", {"model": model, "messages": [], "keep_alive": 0}),
    ]


def _embeddings(model: str) -> list[Call]:
    def embed(name: str, path: str = "/api/embed", **body: Any) -> Call:
        return Call(name=f"embed: {name}", path=path, body={"model": model, **body})

    return [
        embed("one", input="rivers"),
        embed("several", input=["rivers", "mills"]),
        embed("none", input=[]),
        embed("empty text", input=""),
        embed("dimensions", input="rivers", dimensions=16),
        embed("too long, cut", input="rivers " * 3000),
        embed("too long, not cut", input="rivers " * 3000, truncate=False),
        embed("wrong input", input=3),
        embed("the older call", path="/api/embeddings", prompt="rivers"),
        embed("the older call, empty", path="/api/embeddings", prompt=""),
        Call(name="chat with an embedding model", path="/api/chat", body={"model": model, "messages": _SAY}),
    ]


def _faults(model: str) -> list[Call]:
    def chat(name: str, **body: Any) -> Call:
        return Call(name=f"fault: {name}", path="/api/chat", body={"model": model, "messages": _SAY, **body})

    return [
        chat("unknown model", model="nothing"),
        Call(name="fault: unknown model, generate", path="/api/generate", body={"model": "nothing", "prompt": "x"}),
        Call(name="fault: unknown model, embed", path="/api/embed", body={"model": "nothing", "input": "x"}),
        Call(name="fault: unknown model, show", path="/api/show", body={"model": "nothing"}),
        Call(name="fault: embed with a chat model", path="/api/embed", body={"model": model, "input": "x"}),
        Call(name="fault: no body", path="/api/chat"),
        Call(name="fault: broken JSON", path="/api/chat", body=b'{"model":'),
        Call(name="fault: no JSON", path="/api/chat", body=b"model=x"),
        Call(name="fault: a list", path="/api/chat", body=b"[]"),
        Call(name="fault: no model", path="/api/chat", body={"messages": _SAY}),
        chat("model of a wrong type", model=3),
        chat("messages of a wrong type", messages="hello"),
        chat("content of a wrong type", messages=[{"role": "user", "content": 3}]),
        chat("unknown role", messages=[{"role": "robot", "content": "x"}]),
        chat("temperature of a wrong type", options={"temperature": "hot"}),
        chat("stop of a wrong type", options={"stop": "x"}),
        chat("unknown format", format="xml"),
        chat("unknown think", think="deeply"),
        chat("top_logprobs out of range", logprobs=True, top_logprobs=21),
        chat("image", messages=[{"role": "user", "content": "What is it?", "images": [_png()]}], stream=False),
        chat("broken image", messages=[{"role": "user", "content": "x", "images": ["%%%"]}], stream=False),
        chat("too long", messages=[{"role": "user", "content": "rivers " * 3000}], stream=False),
        chat("too long, stream", messages=[{"role": "user", "content": "rivers " * 3000}], stream=True),
        Call(name="fault: raw with system", path="/api/generate",
             body={"model": model, "prompt": "x", "raw": True, "system": "y"}),
    ]  # fmt: skip


def openai(model: str, embed: str | None) -> list[Call]:
    """OpenAI's dialect, as both engines speak it."""
    chat: dict[str, Any] = {"model": model, "messages": _SAY, "temperature": 0, "max_tokens": 64}
    path = "/v1/chat/completions"
    plain = {"model": model, "prompt": "rivers of", "temperature": 0, "max_tokens": 6}
    usage = {"stream_options": {"include_usage": True}}
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_png()}"}}
    return [
        *_both("chat", path, chat),
        Call(name="chat: usage, stream", path=path, body={**chat, **usage, "stream": True}),
        *_both("chat: length", path, {**chat, "max_tokens": 4}),
        *_both("chat: stop", path, {**chat, "stop": [" stony"]}),
        *_both("chat: tools", path, {**chat, "tools": [_WEATHER]}),
        *_both("chat: logprobs", path, {**chat, "logprobs": True, "top_logprobs": 2, "max_tokens": 3}),
        *_both("chat: JSON", path, {**chat, "messages": _DOCUMENT, "response_format": {"type": "json_object"}}),
        *_both("chat: fields nobody knows", path, {**chat, "wishes": [1.50, {"a": None}], "max_tokens": 3}),
        *_both("completion", "/v1/completions", plain),
        Call(name="completion: usage, stream", path="/v1/completions", body={**plain, **usage, "stream": True}),
        *([Call(name="embeddings", path="/v1/embeddings", body={"model": embed, "input": "rivers"}),
           Call(name="embeddings: base64", path="/v1/embeddings",
                body={"model": embed, "input": ["a", "b"], "encoding_format": "base64"})] if embed else []),
        Call(name="messages of a wrong type", path=path, body={**chat, "messages": "x"}),
        Call(name="no messages", path=path, body={"model": model}),
        Call(name="temperature of a wrong type", path=path, body={**chat, "temperature": "hot"}),
        Call(name="broken JSON after the model", path=path, body=b'{"model":"%b","messages":[' % model.encode()),
        Call(name="too long", path=path, body={**chat, "messages": [{"role": "user", "content": "rivers " * 3000}]}),
        Call(name="image", path=path, body={**chat, "messages": [{"role": "user", "content": [image]}]}),
    ]  # fmt: skip


def anthropic(model: str) -> list[Call]:
    """Anthropic's dialect, which vLLM speaks."""
    body = {"model": model, "messages": _SAY, "max_tokens": 64, "temperature": 0}
    return _both("messages", "/v1/messages", body)
