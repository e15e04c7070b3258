"""What generate and chat ask of the engine in the same way: sampling, format, thinking, logprobs."""

from collections.abc import Mapping
from typing import Final

import msgspec

from ..dialects import go_json
from ..dialects.errors import cut
from ..http.errors import BadRequestError
from . import options
from .exchange import Backend
from .ollama_requests import Prompted

_LEVELS: Final = ("low", "medium", "high", "max")
_MAX_TOP_LOGPROBS: Final = 20


def parameters(request: Prompted, backend: Backend) -> tuple[dict[str, object], tuple[str, ...]]:
    """The engine's parameters that every prompt may carry, and what was not passed on. Raises BadRequestError."""
    sampling, warnings = options.sampling(request.options or {}, backend.context_length)
    stream: Mapping[str, object] = {"stream": True, "stream_options": {"include_usage": True}}
    return {"model": backend.model, **stream, **sampling, **_format(request.format)}, warnings


def thinking(request: Prompted, backend: Backend) -> dict[str, object]:
    """How vLLM is told to think or not; nothing when the caller leaves it to the model. Raises BadRequestError."""
    think = request.think
    if think is None or think == "":
        return {}
    if isinstance(think, str) and think not in _LEVELS:
        raise BadRequestError(
            f'invalid think value: "{cut(think)}" (must be "high", "medium", "low", "max", true, or false)'
        )
    if think is False and backend.lacks("thinking"):
        return {}
    if backend.lacks("thinking"):
        raise BadRequestError(f'"{request.model}" does not support thinking')
    asked: dict[str, object] = {"chat_template_kwargs": {"enable_thinking": think is not False}}
    if isinstance(think, str):
        asked["reasoning_effort"] = think
    return asked


def logprobs(request: Prompted) -> int | None:
    """How many alternatives to report beside each token; None when none is asked for. Raises BadRequestError."""
    count = request.top_logprobs or 0
    if not 0 <= count <= _MAX_TOP_LOGPROBS:
        raise BadRequestError(f"top_logprobs must be between 0 and {_MAX_TOP_LOGPROBS}")
    return count if request.logprobs else None


def _format(raw: msgspec.Raw) -> dict[str, object]:
    text = bytes(raw).strip()
    if text in (b"", b"null", b'""'):
        return {}
    if text == b'"json"':
        return {"response_format": {"type": "json_object"}}
    if text.startswith(b"{"):
        return {"response_format": {"type": "json_schema", "json_schema": {"name": "format", "schema": raw}}}
    quoted = go_json.encode(cut(text.decode())).decode()
    raise BadRequestError(f'invalid format: {quoted}; expected "json" or a valid JSON Schema object', status=500)
