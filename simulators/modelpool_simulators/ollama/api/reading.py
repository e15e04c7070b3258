"""Read and check request bodies, with the words of Go's decoder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from .errors import ApiError

Body = dict[str, Any]
"""A decoded request; clients may put anything into it."""

_STRING = (str, "string")
_KINDS = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
_FIELDS: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "model": _STRING,
    "name": _STRING,
    "prompt": _STRING,
    "system": _STRING,
    "template": _STRING,
    "suffix": _STRING,
    "source": _STRING,
    "destination": _STRING,
    "from": _STRING,
    "messages": (list, "[]api.Message"),
    "tools": (list, "[]api.Tool"),
    "images": (list, "[]api.ImageData"),
    "options": (dict, "map[string]interface {}"),
    "stream": (bool, "bool"),
    "raw": (bool, "bool"),
    "truncate": (bool, "bool"),
    "dimensions": (int, "int"),
}
_FLOATS = ("temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty")
_INTEGERS = (
    "num_predict",
    "num_ctx",
    "num_keep",
    "num_batch",
    "num_gpu",
    "num_thread",
    "seed",
    "top_k",
    "repeat_last_n",
)


async def read(request: web.Request, kind: str, *, checked: bool = False) -> Body:
    """Return the body as an object whose known fields have the right type; `kind` is the Go type in messages."""
    raw = await request.read()
    if not raw.strip():
        raise ApiError(400, "EOF" if checked else "missing request body", checked=checked)
    try:
        value = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        raise ApiError(400, _what_go_says(raw), checked=checked) from None
    if not isinstance(value, dict):
        raise ApiError(400, f"json: cannot unmarshal {_kind(value)} into Go value of type api.{kind}", checked=checked)
    if not checked:
        for field, (wanted, go) in _FIELDS.items():
            given = value.get(field)
            if given is not None and not isinstance(given, wanted):
                message = f"json: cannot unmarshal {_kind(given)} into Go struct field {kind}.{field} of type {go}"
                raise ApiError(400, message)
    return value


def options(body: Body) -> dict[str, Any]:
    """Return the options; one of the wrong type is an error, one that is unknown or null is not."""
    given = {name: value for name, value in (body.get("options") or {}).items() if value is not None}
    for name, value in given.items():
        if name in _FLOATS and not (isinstance(value, int | float) and not isinstance(value, bool)):
            raise ApiError(500, f'option "{name}" must be of type float32')
        if name in _INTEGERS and not (isinstance(value, int | float) and not isinstance(value, bool)):
            raise ApiError(500, f'option "{name}" must be of type integer')
        if name == "stop" and not isinstance(value, list):
            raise ApiError(500, 'option "stop" must be of type array')
        if name == "stop" and not all(isinstance(one, str) for one in value):
            raise ApiError(500, 'option "stop" must be of an array of strings')
    return dict(given)


def schema(given: Any) -> Any:
    """Return the JSON Schema that `format` asks for, or None."""
    if given is None or given == "":
        return None
    if given == "json":
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    if isinstance(given, dict):
        return given
    shown = json.dumps(json.dumps(given))
    raise ApiError(500, f'invalid format: {shown}; expected "json" or a valid JSON Schema object')


def thinks(given: Any) -> bool | None:
    """Return what `think` asks for; None when nothing."""
    if given is None or isinstance(given, bool):
        return given
    if given in ("high", "medium", "low", "max"):
        return True
    allowed = '(must be "high", "medium", "low", "max", true, or false)'
    raise ApiError(400, f"invalid think value: {json.dumps(given)} {allowed}")


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "null")


def _what_go_says(raw: bytes) -> str:
    """Word a JSON error as encoding/json does, for the cases that clients produce."""
    try:
        json.loads(raw)
    except json.JSONDecodeError as error:
        if error.pos >= len(raw.rstrip()) or error.msg.startswith("Unterminated"):
            return "unexpected EOF"
        return f"invalid character '{error.doc[error.pos]}' looking for beginning of value"
    except UnicodeDecodeError:
        return "invalid character looking for beginning of value"
    return "unexpected EOF"
