"""Read and check request bodies, with vLLM's words for what is wrong.

Pure but for reading the body. Unknown fields are ignored, as in vLLM.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from .errors import RequestError, invalid, malformed

_MOST_STOPS = 4

Body = dict[str, Any]
"""A decoded request; clients may put anything into it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """What a request says about its answer, in any dialect."""

    choices: int
    max_tokens: int
    stops: tuple[str, ...]
    ignore_end: bool
    seed: int
    stream: bool
    usage: bool
    """A last chunk with the usage."""
    continuous_usage: bool


async def read(request: web.Request) -> Body:
    """Return the body as a JSON object; raises RequestError."""
    raw = await request.read()
    try:
        value = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        value = _slowly(raw)
    if not isinstance(value, dict):
        raise malformed("model_attributes_type", "body", "Input should be a valid dictionary", value)
    return value


def _slowly(raw: bytes) -> Any:
    """Decode again for the position and the words of the error."""
    try:
        return json.loads(raw)
    except json.JSONDecodeError as error:
        context = f", 'ctx': {{'error': '{error.msg}'}}"
        raise malformed("json_invalid", f"body.{error.pos}", "JSON decode error", {}, context) from None
    except UnicodeDecodeError:
        raise RequestError("There was an error parsing the body", kind="Bad Request") from None


def sampling(body: Body, *, prompt_tokens: int, max_model_len: int, default_max_tokens: int | None = None) -> Sampling:
    """Check the parameters of an answer and fill in what is absent."""
    temperature = number(body, "temperature")
    if temperature is not None and temperature < 0:
        raise invalid("temperature", f"temperature must be non-negative, got {temperature}.", temperature)
    if temperature is not None and temperature > 2:
        raise invalid("temperature", f"temperature must be in [0, 2], got {temperature}.", temperature)
    top_p = number(body, "top_p")
    if top_p is not None and not 0 < top_p <= 1:
        raise invalid("top_p", f"top_p must be in (0, 1], got {top_p}.", top_p)
    _within_limits(body)
    options = body.get("stream_options")
    stream = body.get("stream") is True
    if options and not stream:
        raise invalid("stream_options", "Stream options can only be defined when `stream=True`.")
    options = options if isinstance(options, Mapping) else {}
    return Sampling(
        choices=integer(body, "n") or 1,
        max_tokens=_max_tokens(body, prompt_tokens, max_model_len, default_max_tokens),
        stops=_stops(body.get("stop")),
        ignore_end=body.get("ignore_eos") is True,
        seed=integer(body, "seed") or 0,
        stream=stream,
        usage=options.get("include_usage") is True,
        continuous_usage=options.get("continuous_usage_stats") is True,
    )


def _within_limits(body: Body) -> None:
    for field, least, most in (("presence_penalty", -2, 2), ("frequency_penalty", -2, 2), ("min_p", 0, 1)):
        value = number(body, field)
        if value is not None and not least <= value <= most:
            raise RequestError(f"{field} must be in [{least}, {most}], got {value}.")
    repeated = number(body, "repetition_penalty")
    if repeated is not None and repeated <= 0:
        raise RequestError(f"repetition_penalty must be greater than zero, got {repeated}.")
    top_k = integer(body, "top_k")
    if top_k is not None and top_k < -1:
        raise RequestError(f"top_k must be 0 (disable), or at least 1, got {top_k}.")
    seed = integer(body, "seed")
    if seed is not None and not -(1 << 63) <= seed < 1 << 63:
        message = f"Input should be less than or equal to {(1 << 63) - 1}"
        raise malformed("less_than_equal", "body.seed", message, seed)


def _max_tokens(body: Body, prompt_tokens: int, max_model_len: int, default: int | None) -> int:
    if prompt_tokens > max_model_len:
        raise invalid(
            "input_tokens",
            f"This model's maximum context length is {max_model_len} tokens. However, your prompt contains at least "
            f"{max_model_len + 1} input tokens, which exceeds this limit even without any output tokens. Please reduce "
            "the length of the input prompt.",
            max_model_len + 1,
        )
    wanted = integer(body, "max_completion_tokens") or integer(body, "max_tokens")
    if wanted is None and "max_tokens" not in body:
        wanted = default
    room = max_model_len - prompt_tokens
    if wanted is None or room == 0:
        wanted = room
    if wanted < 1:
        raise invalid("max_tokens", f"max_tokens must be at least 1, got {wanted}.", wanted)
    if wanted > max_model_len:
        raise invalid(
            "max_tokens",
            f"max_tokens={wanted} cannot be greater than max_model_len={max_model_len}. Please request fewer output "
            "tokens.",
            wanted,
        )
    if wanted > room:
        raise invalid(
            "input_tokens",
            f"This model's maximum context length is {max_model_len} tokens. However, you requested {wanted} output "
            f"tokens and your prompt contains at least {max_model_len - wanted + 1} input tokens, for a total of at "
            f"least {max_model_len + 1} tokens. Please reduce the length of the input prompt or the number of "
            "requested output tokens.",
            max_model_len - wanted + 1,
        )
    return wanted


def number(body: Body, field: str) -> float | None:
    """Return a number, or None when absent; raises RequestError for anything else."""
    value = body.get(field)
    if value is None:
        return None
    try:
        return float(value)
    except ValueError:
        message = "Input should be a valid number, unable to parse string as a number"
        raise malformed("float_parsing", f"body.{field}", message, value) from None
    except TypeError:
        raise malformed("float_type", f"body.{field}", "Input should be a valid number", value) from None


def integer(body: Body, field: str) -> int | None:
    """Return an integer, or None when absent; raises RequestError for anything else."""
    value = body.get(field)
    if value is None:
        return None
    try:
        return int(value)
    except ValueError:
        message = "Input should be a valid integer, unable to parse string as an integer"
        raise malformed("int_parsing", f"body.{field}", message, value) from None
    except TypeError:
        raise malformed("int_type", f"body.{field}", "Input should be a valid integer", value) from None


def required(body: Body, field: str) -> Any:
    """Return a field that must be there."""
    if field not in body:
        raise malformed("missing", f"body.{field}", "Field required", body)
    return body[field]


def messages(body: Body, field: str = "messages") -> list[Mapping[str, Any]]:
    """Return the conversation, which must not be empty."""
    value = required(body, field)
    if not isinstance(value, list):
        raise malformed("list_type", f"body.{field}", "Input should be a valid list", value)
    if not value:
        raise RequestError("Cannot apply chat template to an empty conversation. Provide at least one message.")
    for position, message in enumerate(value):
        if not isinstance(message, Mapping) or "role" not in message:
            raise malformed("missing", f"body.{field}.{position}.role", "Field required", message)
    return value


def written(content: Any) -> str:
    """Return what a message's content says, parts joined."""
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return ""


def shows_images(conversation: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether any message carries an image."""
    return any(
        isinstance(part, Mapping) and part.get("type") in ("image_url", "input_image", "image")
        for message in conversation
        if isinstance(message.get("content"), list)
        for part in message["content"]
    )


def _stops(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    stops = (value,) if isinstance(value, str) else tuple(str(one) for one in value)
    if len(stops) > _MOST_STOPS:
        message = f"List should have at most {_MOST_STOPS} items after validation, not {len(stops)}"
        raise malformed("too_long", "body.stop.list[str]", message, list(stops))
    if "" in stops:
        raise RequestError("stop cannot contain an empty string.")
    return stops


def decode_object(written: str) -> dict[str, Any]:
    """Decode an object the engine wrote itself; empty when it was cut short."""
    try:
        value = msgspec.json.decode(written)
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}
