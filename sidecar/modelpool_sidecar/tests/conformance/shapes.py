"""What two answers must have in common: names, order and types, and not values."""

import json
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from typing import Any

LINES = "application/x-ndjson"
NUMBERS = ("logprob", "embedding", "embeddings")
OURS = ("x-request-id", "x-accel-buffering", "allow", "retry-after", "content-length", "transfer-encoding", "date")
"""Headers that may be there besides: ours, and the framing that Go and we choose by different rules."""


def shape(value: Any, key: str = "") -> Any:
    """Keys in order with their types; a list is what its elements look like, whatever their number."""
    match value:
        case dict():
            return tuple((name, shape(item, name)) for name, item in value.items())
        case list():
            return ("list", *dict.fromkeys(shape(item, key) for item in value))
        case int() | float() if key in NUMBERS and not isinstance(value, bool):
            return "number"
        case _:
            return type(value).__name__


def of(body: bytes, kind: str) -> Any:
    """The shape of a document, or of a stream: what its lines may look like, and its last line."""
    if kind.startswith(LINES):
        lines = [shape(json.loads(line)) for line in body.splitlines() if line]
        return (tuple(sorted(set(lines[:-1]), key=repr)), lines[-1])
    return shape(json.loads(body)) if "json" in kind and body else body.decode()


def without(value: Any, ignored: Collection[str], path: str = "") -> Any:
    """A decoded document without the fields that are known to differ."""
    if isinstance(value, list):
        return [without(item, ignored, path) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, item in value.items():
        place = f"{path}.{name}".removeprefix(".")
        if not any(fnmatchcase(place, one) for one in ignored):
            kept[name] = without(item, ignored, place)
    return kept


def stripped(body: bytes, kind: str, ignored: Collection[str]) -> bytes:
    """A body without the fields that are known to differ."""
    if not ignored or "json" not in kind:
        return body
    if kind.startswith(LINES):
        return b"\n".join(json.dumps(without(json.loads(line), ignored)).encode() for line in body.splitlines() if line)
    return json.dumps(without(json.loads(body), ignored)).encode()


def fields(value: Any, path: str = "") -> Iterator[str]:
    """The places of all fields."""
    if isinstance(value, list):
        for item in value:
            yield from fields(item, path)
    elif isinstance(value, dict):
        for name, item in value.items():
            place = f"{path}.{name}".removeprefix(".")
            yield place
            yield from fields(item, place)
