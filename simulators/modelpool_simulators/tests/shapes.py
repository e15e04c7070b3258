"""What two answers must have in common: everything but values.

The shape of a JSON value is its keys in order and the types of what they hold. A list is the sequence of its
elements' shapes, a stream the sequence of its events' shapes, both with repetitions folded, since how many tokens
come is not the point.
"""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

_KEYED_BY_TEXT = ("top_logprobs",)
_IGNORED_HEADERS = ("date", "server")


def of_value(value: Any, key: str = "") -> Any:
    """Return the shape of a decoded JSON value."""
    match value:
        case dict() if key in _KEYED_BY_TEXT or (value and all(name.isdigit() for name in value)):
            return {"*": fold([of_value(one) for one in value.values()])}
        case dict():
            return [(name, of_value(one, name)) for name, one in value.items()]
        case list():
            return {"list": fold([of_value(one, key) for one in value])}
        case bool() | None:
            return str(type(value).__name__)
        case int() if key == "stop_reason":
            return "NoneType"  # the number of the token that ended the answer depends on the tokenizer
        case _:
            return type(value).__name__


def of_body(body: bytes, content_type: str | None) -> Any:
    """Return the shape of a body, be it JSON, events, lines or text."""
    kind = (content_type or "").split(";")[0]
    if kind == "text/event-stream":
        return fold([_event(part) for part in body.decode().split("\n\n") if part.strip()])
    if kind == "application/x-ndjson":
        return fold([of_value(json.loads(line)) for line in body.splitlines() if line])
    if kind == "application/json":
        return [of_value(json.loads(body)), "newline" if body.endswith(b"\n") else "bare"]
    return body.decode()


def of_headers(headers: Any) -> list[str]:
    """Return the names of the headers that say something about the answer."""
    return sorted({name.lower() for name in headers} - set(_IGNORED_HEADERS))


def fold(shapes: list[Any]) -> list[Any]:
    """Leave out repetitions."""
    return [key for key, _ in groupby(shapes)]


def _event(text: str) -> Any:
    lines = [line.partition(": ") for line in text.splitlines()]
    data = "".join(value for name, _, value in lines if name == "data")
    return [name for name, _, _ in lines], data if data == "[DONE]" else of_value(json.loads(data))
