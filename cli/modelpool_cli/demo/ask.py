"""Ask a model with the official clients, `ollama` and `openai`, and note who answered and how fast.

Each question is asked twice: streamed, for the time to the first token and the tokens per second, and whole.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

import httpx
import ollama
import openai
from openai.types.chat import ChatCompletionMessageParam

PROMPT: Final = "In one sentence: why is the sky blue?"
TOKENS: Final = 64
"""At most, of an answer."""
PATIENCE: Final = 60.0
"""Seconds until an answer is given up."""


class Client(Enum):
    """The program a user's pipeline calls with."""

    OLLAMA = "ollama"
    OPENAI = "openai"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Who answered a question, and how fast."""

    model: str
    client: Client
    backend: str
    """The gateway's X-ModelPool-Backend: `vllm` or `ollama`."""
    route: str
    """The gateway's X-ModelPool-Route: `primary`, `fallback` or `retry`."""
    first_token_seconds: float
    tokens_per_second: float
    """Of the streamed answer, after its first token."""
    whole_seconds: float
    """Until the answer that was not streamed was there."""
    text: str


@dataclass(slots=True)
class _Seen:
    """What the gateway's headers said of the last answer."""

    backend: str = ""
    route: str = ""

    async def note(self, response: httpx.Response) -> None:
        self.backend = response.headers.get("x-modelpool-backend", "?")
        self.route = response.headers.get("x-modelpool-route", "?")


@dataclass(frozen=True, slots=True)
class _Streamed:
    text: str
    first_token_seconds: float
    seconds: float
    tokens: int


_Questions = tuple[Callable[[], Awaitable[_Streamed]], Callable[[], Awaitable[str]]]
"""The question streamed, and the question whole."""


async def ask(base_url: str, model: str, client: Client) -> Answer:
    """Ask `model` behind the gateway at `base_url`, streamed and whole.

    Raises:
        ValueError: an answer came without text or without a token count.
        ollama.ResponseError, openai.APIError, httpx.HTTPError: the client's own, as a user would meet them.
    """
    seen = _Seen()
    streamed, whole = _ASKERS[client](base_url, model, seen)
    answer = await streamed()
    began = time.perf_counter()
    text = await whole()
    whole_seconds = time.perf_counter() - began
    if not answer.text or not text or not answer.tokens:
        raise ValueError(f"{model} through the {client.value} client: got no text or no token count")
    decoding = answer.seconds - answer.first_token_seconds
    return Answer(
        model=model,
        client=client,
        backend=seen.backend,
        route=seen.route,
        first_token_seconds=answer.first_token_seconds,
        tokens_per_second=(answer.tokens - 1) / decoding if decoding > 0 else 0.0,
        whole_seconds=whole_seconds,
        text=answer.text,
    )


def _with_ollama(base_url: str, model: str, seen: _Seen) -> _Questions:
    client = ollama.AsyncClient(host=base_url, timeout=PATIENCE, event_hooks={"response": [seen.note]})
    messages = [{"role": "user", "content": PROMPT}]
    options = {"num_predict": TOKENS}

    async def streamed() -> _Streamed:
        began = time.perf_counter()
        first, text, tokens = 0.0, "", 0
        async for part in await client.chat(model=model, messages=messages, options=options, stream=True):
            said = (part.message.content or "") + (part.message.thinking or "")
            first = first or (time.perf_counter() - began if said else 0.0)
            text += said
            tokens = part.eval_count or tokens
        return _Streamed(text, first, time.perf_counter() - began, tokens)

    async def whole() -> str:
        response = await client.chat(model=model, messages=messages, options=options)
        return (response.message.content or "") + (response.message.thinking or "")

    return streamed, whole


def _with_openai(base_url: str, model: str, seen: _Seen) -> _Questions:
    client = openai.AsyncOpenAI(
        base_url=f"{base_url}/v1",
        api_key="none",
        timeout=PATIENCE,
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(event_hooks={"response": [seen.note]}),
    )
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": PROMPT}]

    async def streamed() -> _Streamed:
        began = time.perf_counter()
        first, text, tokens = 0.0, "", 0
        stream = await client.chat.completions.create(
            model=model, messages=messages, max_tokens=TOKENS, stream=True, stream_options={"include_usage": True}
        )
        async for chunk in stream:
            for choice in chunk.choices:
                said = (choice.delta.content or "") + (getattr(choice.delta, "reasoning", None) or "")
                first = first or (time.perf_counter() - began if said else 0.0)
                text += said
            tokens = chunk.usage.completion_tokens if chunk.usage else tokens
        return _Streamed(text, first, time.perf_counter() - began, tokens)

    async def whole() -> str:
        response = await client.chat.completions.create(model=model, messages=messages, max_tokens=TOKENS)
        message = response.choices[0].message
        return (message.content or "") + (getattr(message, "reasoning", None) or "")

    return streamed, whole


_ASKERS: Final = {Client.OLLAMA: _with_ollama, Client.OPENAI: _with_openai}
