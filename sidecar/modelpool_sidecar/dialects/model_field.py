"""Another model name in a request, and not one byte more.

Bodies are never re-serialised: unknown fields, number spellings and key order survive. Every top-level key that some
engine could read as the model is replaced, also a repeated one and one in other case (Go's decoder ignores case and
takes the last), so that a request cannot be routed by one name and served by another.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from ..http.errors import BadRequestError
from . import distant_keys

_REST_OF_STRING: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_BACKSLASH: Final = ord("\\")
_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_SCALAR: Final = re.compile(rb"[^,\]}\s]+")
_STRUCTURE: Final = re.compile(rb'["{}\[\]]')
_KEY: Final = "model"
_LARGE_BYTES: Final = 16 * 1024
"""Beyond it the text is not gone through value by value."""


def replace_model(body: bytes, name: str) -> bytes:
    """The body with another model. Raises BadRequestError when it is no JSON object or names no model.

    A body of more than `_LARGE_BYTES` must be known to be a JSON object.
    """
    value = msgspec.json.encode(name)
    view = memoryview(body)
    pieces: list[bytes | memoryview] = []
    end = 0
    for start, stop in _model_spans(body) if len(body) <= _LARGE_BYTES else distant_keys.model_spans(body):
        pieces += (view[end:start], value)
        end = stop
    if not pieces:
        raise BadRequestError("model is required")
    pieces.append(view[end:])
    return b"".join(pieces)


def _model_spans(body: bytes) -> Iterator[tuple[int, int]]:
    """Where the values of the top-level model keys begin and end."""
    at = _space(body, 3 if body.startswith(b"\xef\xbb\xbf") else 0)
    _expect(body, at, b"{")
    at = _space(body, at + 1)
    if body[at : at + 1] == b"}":
        return
    while True:
        key_end = _string(body, at)
        key = body[at:key_end]
        at = _space(body, key_end)
        _expect(body, at, b":")
        at = _space(body, at + 1)
        value_end = _value(body, at)
        if _is_model(key):
            yield at, value_end
        at = _space(body, value_end)
        if body[at : at + 1] != b",":
            break
        at = _space(body, at + 1)
    _expect(body, at, b"}")


def _is_model(key: bytes) -> bool:
    if len(key) == len(_KEY) + 2:
        return key[1:-1].lower() == _KEY.encode()
    if b"\\" not in key:
        return False
    try:
        return msgspec.json.decode(key, type=str).lower() == _KEY
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False


def _value(body: bytes, at: int) -> int:
    first = body[at : at + 1]
    if first == b'"':
        return _string(body, at)
    if first in (b"{", b"["):
        return _nested(body, at)
    scalar = _SCALAR.match(body, at)
    if scalar is None:
        raise BadRequestError("unexpected EOF")
    return scalar.end()


def _nested(body: bytes, at: int) -> int:
    depth = 0
    while (mark := _STRUCTURE.search(body, at)) is not None:
        at = mark.end()
        if mark[0] == b'"':
            at = _string(body, mark.start())
        elif mark[0] in b"{[":
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                return at
    raise BadRequestError("unexpected EOF")


def _string(body: bytes, at: int) -> int:
    """The end of the string that begins here. Images are found by their closing quote alone, without a look inside."""
    _expect(body, at, b'"')
    quote = body.find(b'"', at + 1)
    if quote > 0 and body[quote - 1] != _BACKSLASH:
        return quote + 1
    found = _REST_OF_STRING.match(body, at + 1)
    if found is None:
        raise BadRequestError("unexpected EOF")
    return found.end()


def _space(body: bytes, at: int) -> int:
    found = _SPACE.match(body, at)
    return found.end() if found is not None else at


def _expect(body: bytes, at: int, wanted: bytes) -> None:
    if body[at : at + 1] != wanted:
        raise BadRequestError(
            "unexpected EOF" if at >= len(body) else f"invalid character in the request body at byte {at}"
        )
