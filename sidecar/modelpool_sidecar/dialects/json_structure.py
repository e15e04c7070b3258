"""The structure of a large JSON text, at the speed of C: how many values it holds, how deep a place in it lies.

For bodies that are too large to be gone through value by value. Every step is one call of the standard library on a
block of the text, so that neither the number of values nor the length of a string makes it slow. Not compiled, because
it is run in a thread: others get their turn between blocks. What is no JSON gives some number; whether it is JSON is
the decoder's to say.
"""

import re
from collections.abc import Iterator
from typing import Final

_BLOCK_BYTES: Final = 256 * 1024
_BACKSLASH: Final = ord("\\")
_REST_OF_ESCAPE: Final = re.compile(rb"\\*+.?", re.DOTALL)
_MARKS: Final = b",:[{"
"""Each value and each key stands behind one of them, but for the outermost value."""
_UNMARKED: Final = bytes(byte for byte in range(256) if byte not in _MARKS)


def values_at_most(text: bytes) -> int:
    """What it holds of values, keys and elements, and more where its strings have punctuation. Much faster."""
    return 1 + len(text.translate(None, _UNMARKED))


def has_more_values(text: bytes, most: int) -> bool:
    """Whether it holds more values, keys and elements than this. An empty list counts as one more than it is."""
    if len(text) <= most:
        return False
    count = 1
    for block in _outside(text, 0, len(text)):
        count += len(block.translate(None, _UNMARKED))
        if count > most:
            return True
    return False


def deeper(text: bytes, begin: int, end: int) -> int:
    """By how many levels the place `end` lies deeper than the place `begin`; neither may lie in a string."""
    if end - begin <= _BLOCK_BYTES and text.find(b'"', begin, end) < 0:
        return _levels(text, begin, end)
    return sum(_levels(block, 0, len(block)) for block in _outside(text, begin, end))


def _levels(text: bytes, begin: int, end: int) -> int:
    opened = text.count(b"{", begin, end) + text.count(b"[", begin, end)
    return opened - text.count(b"}", begin, end) - text.count(b"]", begin, end)


def _outside(text: bytes, at: int, end: int) -> Iterator[bytes]:
    """What is no part of a string, block by block, from a place outside of strings."""
    inside = False
    while at < end:
        if inside:
            quote = text.find(b'"', at, end)
            if quote < 0:
                return
            if text[quote - 1] != _BACKSLASH:
                at = quote
        stop = min(at + _BLOCK_BYTES, end)
        if stop < end and text[stop - 1] == _BACKSLASH and (rest := _REST_OF_ESCAPE.match(text, stop)) is not None:
            stop = min(rest.end(), end)
        block = text[at:stop]
        if b"\\" in block:
            block = block.replace(b"\\\\", b"").replace(b'\\"', b"")
        pieces = block.split(b'"')
        yield b"".join(pieces[inside::2])
        inside ^= len(pieces) % 2 == 0
        at = stop
