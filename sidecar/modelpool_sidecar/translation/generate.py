"""POST /api/generate for vLLM: a chat of one turn, or /v1/completions when the prompt must stay as it is."""

from functools import partial
from typing import Final

import msgspec

from ..dialects.answer import Answer
from ..dialects.dialect import Operation
from ..http.errors import BadRequestError
from . import chat, loading, ollama_requests, options
from .exchange import Backend, Exchange

_LEAST_CONTEXT: Final = 2048
"""Tokens to reckon with when the context's length is unknown: hardly any model is served with fewer."""
_SPECIAL_TOKENS: Final = 8
"""What a tokenizer may add around a prompt."""


def translate(body: bytes, backend: Backend, *, epoch_ns: int) -> Exchange | Answer:
    """Raises BadRequestError."""
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
    return chat.exchange(request, params, warnings, Operation.GENERATE)


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
        open=partial(chat.open_reply, request, Operation.GENERATE, stream),
        warnings=warnings,
    )


def _room(prompt: str, context_length: int) -> int:
    """How many tokens a completion may have. vLLM's default is 16, and it knows no "as many as fit" here.

    A token is at least one byte, so what is left beside that many tokens always fits. A long prompt would leave nothing
    by that count, though most tokens are longer; it gets a quarter of the context.
    """
    return max(context_length - len(prompt.encode()) - _SPECIAL_TOKENS, context_length // 4)
