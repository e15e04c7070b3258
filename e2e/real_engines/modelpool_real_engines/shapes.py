"""Finds where two answers differ. Pure: two answers in, a list of differences out.

What cannot be the same twice (ids, times, durations) is compared by its type. Everything else is compared by value:
both engines run the same weights without chance, so they must say the same. How a stream is cut is the engine's
affair, and differs from call to call: Ollama's lines are folded by their shape, the events of the other dialects are
taken apart into fields, and the texts that they carry are put together.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from .answers import Response

_ADDED: Final = re.compile(r"(x-modelpool-.*|x-request-id|x-accel-buffering|date|server)$")
_VOLATILE: Final = re.compile(
    r"(created_at|created|.*_duration|id|modified_at|expires_at|digest|system_fingerprint|seed|signature)$"
)
TEXTS: Final = ("content", "response", "thinking", "reasoning", "text", "arguments", "partial_json")
_ROUNDED: Final = ("logprob", "token_logprobs", "embedding", "embeddings")
_DIGITS: Final = 3
_SHORT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place where two answers are not the same."""

    where: str
    reference: str
    gateway: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reference} | {self.gateway}"


def differences(reference: Response, gateway: Response) -> tuple[Difference, ...]:
    """All differences, the first answer being the one to match."""
    return tuple(
        Difference(where=where, reference=_short(left), gateway=_short(right))
        for where, left, right in _all(reference, gateway)
    )


def of_values(reference: Any, gateway: Any) -> tuple[Difference, ...]:
    """The differences of two JSON values."""
    return tuple(
        Difference(where=where, reference=_short(left), gateway=_short(right))
        for where, left, right in _compared("", _plain(reference), _plain(gateway))
    )


def _all(reference: Response, gateway: Response) -> Iterator[tuple[str, Any, Any]]:
    if reference.status != gateway.status:
        yield "status", reference.status, gateway.status
    if reference.header("content-type") != gateway.header("content-type"):
        yield "content-type", reference.header("content-type"), gateway.header("content-type")
    if reference.framing != gateway.framing:
        yield "framing", reference.framing, gateway.framing
    left, right = _names(reference), _names(gateway)
    for name in sorted(left ^ right):
        yield f"header {name}", reference.header(name) or "absent", gateway.header(name) or "absent"
    yield from _bodies(reference, gateway)


def _names(response: Response) -> set[str]:
    names = {key.lower() for key, _ in response.headers}
    return {name for name in names if not _ADDED.match(name)} - {"content-type", "content-length", "transfer-encoding"}


def _bodies(reference: Response, gateway: Response) -> Iterator[tuple[str, Any, Any]]:
    left, right = _parsed(reference), _parsed(gateway)
    found = list(_compared("", left, right))
    yield from found
    whole = "text/event-stream" not in (reference.kind, gateway.kind)
    if whole and not found and _spelling(reference.body) != _spelling(gateway.body):
        yield "spelling", _spelling(reference.body), _spelling(gateway.body)


def _parsed(response: Response) -> Any:
    """The body as something to compare: a value, or for a stream its folded events and the texts they carry."""
    if response.kind == "application/x-ndjson":
        return _stream([json.loads(line) for line in response.body.splitlines() if line])
    if response.kind == "text/event-stream":
        return _fields([_event(part) for part in response.body.decode().split("\n\n") if part.strip()])
    try:
        return _plain(json.loads(response.body))
    except ValueError:
        return response.body.decode(errors="replace")


def _event(text: str) -> Any:
    """An event of a stream; a name or a comment is kept as a key."""
    fields: dict[str, Any] = {}
    for line in text.splitlines():
        name, _, value = line.partition(": ")
        fields[name] = value
    data = fields.pop("data", "")
    return {**fields, "data": json.loads(data) if data.startswith("{") else data}


def _stream(events: list[Any]) -> Any:
    texts: dict[str, str] = {}
    for event in events:
        _gather(event, "", texts)
    logprobs = [one for event in events for one in _logprobs(event)]
    shapes = [json.dumps(_shape(event)) for event in events]
    last = [event for event in events if isinstance(event, dict) and event.get("done") is True]
    return {
        "lines": [json.loads(shape) for shape, _ in groupby(shapes)],
        "texts": texts,
        "logprobs": _plain(logprobs),
        "last": _plain(last),
    }


def _fields(events: list[Any]) -> Any:
    """Every field that some event has, with the values it takes one after another; texts are put together."""
    found: dict[str, list[Any]] = {}
    for event in events:
        for path, key, value in _leaves(event, "", ""):
            values = found.setdefault(path, [])
            if key in TEXTS and isinstance(value, str) and values and isinstance(values[-1], str):
                values[-1] += value
            elif not values or values[-1] != value:
                values.append(value)
    told = {path: [one for one in values if one not in (None, "")] or values[:1] for path, values in found.items()}
    return dict(sorted(told.items()))


def _leaves(value: Any, path: str, key: str) -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from _leaves(one, f"{path}.{name}" if path else name, name)
    elif isinstance(value, list) and value:
        for one in value:
            yield from _leaves(one, f"{path}[]", key)
    elif value not in ({}, []):
        yield path, key, _plain(value, key)


def _gather(value: Any, key: str, texts: dict[str, str]) -> None:
    if isinstance(value, dict):
        for name, one in value.items():
            if name != "logprobs":
                _gather(one, name, texts)
    elif isinstance(value, list):
        for one in value:
            _gather(one, key, texts)
    elif isinstance(value, str) and key in TEXTS and value:
        texts[key] = texts.get(key, "") + value


def _logprobs(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for name, one in value.items():
            if name == "logprobs" and isinstance(one, list):
                yield from one
            else:
                yield from _logprobs(one)
    elif isinstance(value, list):
        for one in value:
            yield from _logprobs(one)


def _shape(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _shape(one, name) for name, one in value.items()}
    if isinstance(value, list) and key == "bytes":
        return "bytes"
    if isinstance(value, list):
        return [json.loads(one) for one, _ in groupby(json.dumps(_shape(one, key)) for one in value)]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str) and key in TEXTS:
        return "text" if value else ""
    if isinstance(value, str) and not _VOLATILE.match(key) and key != "token":
        return value
    if key in _ROUNDED:
        return "number"
    return type(value).__name__


def _plain(value: Any, key: str = "") -> Any:
    """The value with what changes from call to call replaced by its type, and numbers rounded that are computed."""
    if isinstance(value, dict):
        return {name: _plain(one, name) for name, one in value.items()}
    if isinstance(value, list):
        plain = [_plain(one, key) for one in value]
        return sorted(plain, key=lambda one: str(one["name"])) if key == "models" else plain
    if _VOLATILE.match(key) and value is not None:
        return f"<{type(value).__name__}>"
    if isinstance(value, float) or (key in _ROUNDED and isinstance(value, int)):
        return round(value, _DIGITS) + 0.0
    return value


def _compared(where: str, left: Any, right: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(left, dict) and isinstance(right, dict):
        for name in [*left, *(name for name in right if name not in left)]:
            at = f"{where}.{name}" if where else str(name)
            if name not in right:
                yield at, left[name], "absent"
            elif name not in left:
                yield at, "absent", right[name]
            else:
                yield from _compared(at, left[name], right[name])
        shared = [name for name in left if name in right]
        if shared != [name for name in right if name in left]:
            yield f"{where} order of keys", list(left), list(right)
    elif isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            yield f"{where}[] length", left, right
        for place, (one, other) in enumerate(zip(left, right, strict=False)):
            yield from _compared(f"{where}[{place}]", one, other)
    elif left != right or type(left) is not type(right):
        yield where or "body", left, right


_CHANGING: Final = re.compile(
    rb'"(created_at|created|[a-z_]*_duration|id|modified_at|expires_at|digest|seed|signature|logprob)":'
    rb'( ?)("[^"]*"|-?[0-9.e-]+)'
)
_NUMBER: Final = re.compile(rb"-?[0-9]+\.[0-9]+(e[+-]?[0-9]+)?")
_CUT: Final = re.compile(
    rb'"(content|response|thinking|reasoning|text|token|bytes)":( ?)("(\\.|[^"\\])*"|\[[0-9,]*\])', re.DOTALL
)


def _spelling(body: bytes) -> bytes:
    """The bytes themselves, but for what changes and for how a stream is cut."""
    plain = _NUMBER.sub(b"0.5", _CHANGING.sub(rb'"\1":\g<2>0', body))
    if b"\n" not in plain.strip():
        return plain
    plain = _CUT.sub(rb'"\1":\2""', plain)
    return b"\n".join(line for line, _ in groupby(plain.split(b"\n")))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else _written(value)
    text = text.replace("\n", "\\n")
    return text if len(text) <= _SHORT else text[:_SHORT] + "…"


def _written(value: Any) -> str:
    return repr(value) if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False)
