"""POST /api/generate for vLLM: a chat of one turn, or /v1/completions when the prompt must stay as it is."""

from functools import partial

import msgspec

from ..answer import Answer
from ..dialect import Operation
from ..errors import BadRequestError
from . import chat, incoming, loading, messages, prompting
from .exchange import Backend, Exchange


def translate(body: bytes, backend: Backend, *, epoch_ns: int) -> Exchange | Answer:
    """Raises BadRequestError."""
    request = incoming.generate(body)
    if request.raw and (request.template or request.system or request.context):
        raise BadRequestError("raw mode does not support template, system, or context")
    if not request.prompt:
        return loading.generate_answer(request, epoch_ns)
    if backend.lacks("completion"):
        raise BadRequestError(f'"{request.model}" does not support generate')
    if request.template:
        raise BadRequestError(f'"{request.model}" is served by an engine that cannot replace the template of its model')
    params, warnings = prompting.parameters(request, backend)
    if request.context:
        warnings += ("context holds tokens of another engine and was not passed on",)
    if request.raw or request.suffix:
        return _completion(request, params, warnings)
    params |= prompting.thinking(request, backend)
    turns = [{"role": "system", "content": request.system}] if request.system else []
    params["messages"] = [*turns, {"role": "user", "content": messages.content(request.prompt, request.images)}]
    return chat.exchange(request, params, warnings, Operation.GENERATE)


def _completion(request: incoming.GenerateRequest, params: dict[str, object], warnings: tuple[str, ...]) -> Exchange:
    params["prompt"] = request.prompt
    # Without the key vLLM stops after 16 tokens; null means as many as fit, which is Ollama's default.
    params.setdefault("max_tokens", None)
    if request.suffix:
        params["suffix"] = request.suffix
    count = prompting.logprobs(request)
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
