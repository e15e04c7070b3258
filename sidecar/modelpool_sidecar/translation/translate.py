"""Calls of Ollama's as calls of OpenAI's API."""

from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from typing import Final, assert_never

import msgspec

from ..dialects import go_decoding
from ..dialects.answer import Answer
from ..dialects.bounds import DEFAULT, Bounds
from ..dialects.dialect import Operation
from ..http.errors import BadRequestError
from . import embed, loading, ollama_requests, options
from .exchange import Backend, Exchange, Reply, Timings
from .replies import TextReply
from .stopping_reply import StoppingReply
from .stops import ENGINE_TAKES, checked

CHATS: Final = "/v1/chat/completions"
COMPLETIONS: Final = "/v1/completions"
BOUND_WARNING: Final = "num_predict is not set"
_LEAST_CONTEXT: Final = 2048
"""Tokens to reckon with when the context's length is unknown: hardly any model is served with fewer."""
_SPECIAL_TOKENS: Final = 8
"""What a tokenizer may add around a prompt."""


class Translation(Enum):
    """The calls of Ollama that vLLM does not have."""

    CHAT = "/api/chat"
    GENERATE = "/api/generate"
    EMBED = "/api/embed"
    EMBEDDING = "/api/embeddings"


def translate(call: Translation, body: bytes, backend: Backend, *, epoch_ns: int) -> Exchange | Answer:
    """The call for vLLM, or the answer where no engine is needed. `epoch_ns` is the wall clock.

    Raises BadRequestError.
    """
    # Also what nobody reads here, like the schema of a tool, goes to the engine well-formed.
    if not body.isascii():
        body = go_decoding.in_utf8(body)
    if b"\\u" in body:
        body = go_decoding.paired(body)
    match call:
        case Translation.CHAT:
            return _chat(body, backend, epoch_ns=epoch_ns)
        case Translation.GENERATE:
            return _generate(body, backend, epoch_ns=epoch_ns)
        case Translation.EMBED:
            return embed.translate(body, backend)
        case Translation.EMBEDDING:
            return embed.translate_single(body, backend)
        case _:
            assert_never(call)


def _chat(body: bytes, backend: Backend, *, epoch_ns: int) -> Exchange | Answer:
    """POST /api/chat: always /v1/chat/completions."""
    request = ollama_requests.chat(body)
    if not request.messages:
        return loading.chat_answer(request, epoch_ns)
    if backend.lacks("completion"):
        raise BadRequestError(f'"{request.model}" does not support chat')
    if request.tools and backend.lacks("tools"):
        raise BadRequestError(f'"{request.model}" does not support tools')
    params, warnings = chat_parameters(request, backend)
    return exchange(request, CHATS, params, warnings, Operation.CHAT)


def chat_parameters(
    request: ollama_requests.ChatRequest, backend: Backend
) -> tuple[dict[str, object], tuple[str, ...]]:
    """VLLM's parameters for a chat, and what was not passed on. Raises BadRequestError."""
    params, warnings = options.parameters(request, backend)
    params |= options.thinking(request, backend)
    params["messages"] = ollama_requests.conversation(request.messages or ())
    if request.tools:
        params["tools"] = request.tools
        if request.stream is False:  # ADR 0007: of calls the engine's own document is better than its stream
            params["stream"] = False
            del params["stream_options"]
    return params | _logprobs(request), warnings


def _logprobs(request: ollama_requests.Prompted) -> dict[str, object]:
    """As vLLM's chats are asked for them."""
    count = options.logprobs(request)
    return {} if count is None else {"logprobs": True, "top_logprobs": count}


def exchange(
    request: ollama_requests.Prompted,
    path: str,
    params: dict[str, object],
    warnings: tuple[str, ...],
    operation: Operation,
) -> Exchange:
    """The call to vLLM with these parameters, for a chat or a prompt. Raises BadRequestError."""
    stream = request.stream is not False
    ids: Callable[[], set[str]] = set
    if isinstance(request, ollama_requests.ChatRequest):
        ids = partial(ollama_requests.ids, request.messages or ())
    stops = params.get("stop")
    own: Sequence[str] = ()
    if isinstance(stops, list) and len(stops) > ENGINE_TAKES:
        own = checked(stops)
        counted = {"include_usage": True, "continuous_usage_stats": True}  # there is no last event to tell the counts
        params = {name: value for name, value in params.items() if name != "stop"}
        params |= {"stream": True, "stream_options": counted}
    return Exchange(
        path=path,
        body=msgspec.json.encode(params),
        stream=stream,
        open=partial(_open_reply, request, operation, stream, ids, own),
        warnings=warnings,
    )


def _open_reply(
    request: ollama_requests.Prompted,
    operation: Operation,
    stream: bool,
    ids: Callable[[], set[str]],
    stops: Sequence[str],
    timings: Timings,
    bounds: Bounds = DEFAULT,
) -> Reply:
    """A Reply for one try."""
    thinking = None if request.think is None else request.think is not False
    model = request.model
    if stops:
        return StoppingReply(
            model=model, operation=operation, stream=stream, thinking=thinking, timings=timings, bounds=bounds, ids=ids,
            stops=stops,
        )  # fmt: skip
    return TextReply(
        model=model, operation=operation, stream=stream, thinking=thinking, timings=timings, bounds=bounds, ids=ids
    )


def _generate(body: bytes, backend: Backend, *, epoch_ns: int) -> Exchange | Answer:
    """POST /api/generate: a chat of one turn, or /v1/completions when the prompt must stay as it is."""
    request = ollama_requests.generate(body)
    if request.raw and (request.template or request.system or request.context):
        raise BadRequestError("raw mode does not support template, system, or context")
    if not request.prompt:
        return loading.generate_answer(request, epoch_ns)
    if backend.lacks("completion"):
        raise BadRequestError(f'"{request.model}" does not support generate')
    if request.template:
        raise BadRequestError(f'"{request.model}" is served by an engine that cannot replace the template of its model')
    path, params, warnings = prompt_parameters(request, backend)
    return exchange(request, path, params, warnings, Operation.GENERATE)


def prompt_parameters(
    request: ollama_requests.GenerateRequest, backend: Backend
) -> tuple[str, dict[str, object], tuple[str, ...]]:
    """VLLM's call for a prompt, its parameters, and what was not passed on. Raises BadRequestError."""
    params, warnings = options.parameters(request, backend)
    if request.context:
        warnings += ("context holds tokens of another engine and was not passed on",)
    prompt = request.prompt or ""
    if request.raw or request.suffix:
        return COMPLETIONS, *_completion(request, prompt, params, warnings, backend.context_length)
    params |= options.thinking(request, backend)
    turns = [{"role": "system", "content": request.system}] if request.system else []
    params["messages"] = [*turns, {"role": "user", "content": ollama_requests.content(prompt, request.images)}]
    return CHATS, params | _logprobs(request), warnings


def _completion(
    request: ollama_requests.GenerateRequest,
    prompt: str,
    params: dict[str, object],
    warnings: tuple[str, ...],
    context_length: int | None,
) -> tuple[dict[str, object], tuple[str, ...]]:
    params["prompt"] = prompt
    if "max_tokens" not in params:
        params["max_tokens"] = room = _room(prompt, context_length or _LEAST_CONTEXT)
        warnings += (f"{BOUND_WARNING}: the engine completes a raw prompt with at most {room} tokens",)
    if request.suffix:
        params["suffix"] = request.suffix
    count = options.logprobs(request)
    if count is not None:
        params["logprobs"] = count
    if request.images:
        warnings += ("images have no place in a raw prompt and were not passed on",)
    return params, warnings


def _room(prompt: str, context_length: int) -> int:
    """How many tokens a completion may have. vLLM's default is 16.

    A token is at least one byte, so what is left beside that many tokens always fits. A long prompt would leave nothing
    by that count, though most tokens are longer; it gets a quarter of the context.
    """
    return max(context_length - len(prompt.encode()) - _SPECIAL_TOKENS, context_length // 4)
