"""POST /api/chat for vLLM: always /v1/chat/completions."""

from functools import partial

import msgspec

from ..dialects.answer import Answer
from ..dialects.bounds import DEFAULT, Bounds
from ..dialects.dialect import Operation
from ..http.errors import BadRequestError
from . import loading, ollama_requests, options
from .exchange import Backend, Exchange, Reply, Timings
from .replies import TextReply


def translate(body: bytes, backend: Backend, *, epoch_ns: int) -> Exchange | Answer:
    """Raises BadRequestError."""
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
    return exchange(request, params, warnings, Operation.CHAT)


def exchange(
    request: ollama_requests.Prompted, params: dict[str, object], warnings: tuple[str, ...], operation: Operation
) -> Exchange:
    """The call to vLLM's chat, for a chat or a prompt."""
    count = options.logprobs(request)
    if count is not None:
        params |= {"logprobs": True, "top_logprobs": count}
    stream = request.stream is not False
    return Exchange(
        path="/v1/chat/completions",
        body=msgspec.json.encode(params),
        stream=stream,
        open=partial(open_reply, request, operation, stream),
        warnings=warnings,
    )


def open_reply(
    request: ollama_requests.Prompted, operation: Operation, stream: bool, timings: Timings, bounds: Bounds = DEFAULT
) -> Reply:
    """A Reply for one try."""
    thinking = None if request.think is None else request.think is not False
    return TextReply(
        model=request.model, operation=operation, stream=stream, thinking=thinking, timings=timings, bounds=bounds
    )
