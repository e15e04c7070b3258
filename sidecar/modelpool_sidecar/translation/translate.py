"""Calls of Ollama's as calls of OpenAI's API."""

from collections.abc import Callable
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
    params, warnings = options.parameters(request, backend)
    params |= options.thinking(request, backend)
    params["messages"] = ollama_requests.conversation(request.messages)
    if request.tools:
        params["tools"] = request.tools
        if request.stream is False:  # ADR 0007: of calls the engine's own document is better than its stream
            params["stream"] = False
            del params["stream_options"]
    return _exchange(request, params, warnings, Operation.CHAT, partial(ollama_requests.ids, request.messages))


def _no_ids() -> set[str]:
    return set()


def _exchange(
    request: ollama_requests.Prompted,
    params: dict[str, object],
    warnings: tuple[str, ...],
    operation: Operation,
    ids: Callable[[], set[str]] = _no_ids,
) -> Exchange:
    """The call to vLLM's chat, for a chat or a prompt. `ids`: of the conversation's tool calls."""
    count = options.logprobs(request)
    if count is not None:
        params |= {"logprobs": True, "top_logprobs": count}
    stream = request.stream is not False
    return Exchange(
        path="/v1/chat/completions",
        body=msgspec.json.encode(params),
        stream=stream,
        open=partial(_open_reply, request, operation, stream, ids),
        warnings=warnings,
    )


def _open_reply(
    request: ollama_requests.Prompted,
    operation: Operation,
    stream: bool,
    ids: Callable[[], set[str]],
    timings: Timings,
    bounds: Bounds = DEFAULT,
) -> Reply:
    """A Reply for one try."""
    return TextReply(
        model=request.model,
        operation=operation,
        stream=stream,
        thinking=None if request.think is None else request.think is not False,
        timings=timings,
        bounds=bounds,
        ids=ids,
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
    params, warnings = options.parameters(request, backend)
    if request.context:
        warnings += ("context holds tokens of another engine and was not passed on",)
    if request.raw or request.suffix:
        return _completion(request, params, warnings, backend.context_length)
    params |= options.thinking(request, backend)
    turns = [{"role": "system", "content": request.system}] if request.system else []
    params["messages"] = [*turns, {"role": "user", "content": ollama_requests.content(request.prompt, request.images)}]
    return _exchange(request, params, warnings, Operation.GENERATE)


def _completion(
    request: ollama_requests.GenerateRequest,
    params: dict[str, object],
    warnings: tuple[str, ...],
    context_length: int | None,
) -> Exchange:
    prompt = request.prompt or ""
    params["prompt"] = prompt
    if "max_tokens" not in params:
        params["max_tokens"] = room = _room(prompt, context_length or _LEAST_CONTEXT)
        warnings += (f"num_predict is not set: the engine completes a raw prompt with at most {room} tokens",)
    if request.suffix:
        params["suffix"] = request.suffix
    count = options.logprobs(request)
    if count is not None:
        params["logprobs"] = count
    if request.images:
        warnings += ("images have no place in a raw prompt and were not passed on",)
    stream = request.stream is not False
    return Exchange(
        path="/v1/completions",
        body=msgspec.json.encode(params),
        stream=stream,
        open=partial(_open_reply, request, Operation.GENERATE, stream, _no_ids),
        warnings=warnings,
    )


def _room(prompt: str, context_length: int) -> int:
    """How many tokens a completion may have. vLLM's default is 16, and it knows no "as many as fit" here.

    A token is at least one byte, so what is left beside that many tokens always fits. A long prompt would leave nothing
    by that count, though most tokens are longer; it gets a quarter of the context.
    """
    return max(context_length - len(prompt.encode()) - _SPECIAL_TOKENS, context_length // 4)
