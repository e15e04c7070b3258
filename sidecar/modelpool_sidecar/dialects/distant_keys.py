"""Where a large body names its model: as `model_field` finds it in a small one, but without looking at anything else.

All keys of that name are searched for, and how deep they lie is counted. Not compiled, because it is run in a thread:
others get their turn between its steps, each of which is one call of the standard library on a block of the text.
"""

import re
from collections.abc import Iterator
from typing import Final

from ..http.errors import BadRequestError
from . import json_structure

_BLOCK_BYTES: Final = 1024 * 1024
_BACKSLASH: Final = ord("\\")
_PLAIN: Final = b'"model"'
_ESCAPED: Final = (b"\\u004", b"\\u006")
"""What letters of the key begin with, where they are escaped: hardly ever."""
_ANY_CASE: Final = (
    *(rb"(?:m|M|\\u00[46][dD])", rb"(?:o|O|\\u00[46][fF])", rb"(?:d|D|\\u00[46]4)"),
    *(rb"(?:e|E|\\u00[46]5)", rb"(?:l|L|\\u00[46][cC])"),
)
_KEY: Final = re.compile(b'"%b"[ \t\r\n]*+:[ \t\r\n]*+' % b"".join(_ANY_CASE))
_MOST_KEYS: Final = 10_000
"""Keys of this name, at any depth. Tools may have such parameters, but not as many."""
_LONGEST_VALUE: Final = 4096
"""Bytes of a value. The longer name of a model has been refused before."""
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCALAR: Final = re.compile(rb"[^,\]}\s\[{\"]+")


def model_spans(body: bytes) -> Iterator[tuple[int, int]]:
    """Where the values of the top-level model keys begin and end. The body must be a JSON object.

    Raises BadRequestError when such a value is neither a string nor a number, or when the keys are too many.
    """
    depth = found = last = 0
    for key in _keys(body):
        start = key.start()
        if body[start - 1] == _BACKSLASH:  # the end of a longer key
            continue
        found += 1
        if found > _MOST_KEYS:
            raise BadRequestError("the request body has too many keys named model")
        depth += json_structure.deeper(body, last, start)
        last = start
        if depth == 1:
            yield key.end(), _value_end(body, key.end())


def _keys(body: bytes) -> Iterator[re.Match[bytes]]:
    if any(begun in body for begun in _ESCAPED):
        yield from _KEY.finditer(body)
        return
    for begin in range(0, len(body), _BLOCK_BYTES):
        block = body[begin : begin + _BLOCK_BYTES + len(_PLAIN) - 1].lower()
        place = block.find(_PLAIN)
        while place >= 0:
            key = _KEY.match(body, begin + place)
            if key is not None:
                yield key
            place = block.find(_PLAIN, place + 1)


def _value_end(body: bytes, at: int) -> int:
    value = (_STRING if body[at] == ord('"') else _SCALAR).match(body, at, at + _LONGEST_VALUE)
    if value is None or value.end() == at + _LONGEST_VALUE:
        raise BadRequestError("the model must be a string")
    return value.end()
