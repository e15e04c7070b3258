r"""JSON as Go's encoding/json writes it, which is what clients of Ollama have always read.

No spaces; `<`, `>`, `&`, U+2028 and U+2029 escaped. Those can only stand inside strings, so escaping the finished
bytes is right.
"""

import re
from typing import Final

import msgspec

_encode: Final = msgspec.json.Encoder().encode
_find_special: Final = re.compile(rb"[<>&]|\xe2\x80[\xa8\xa9]").search
_find_escaped: Final = re.compile('[\0-\x1f"\\\\<>&\u2028\u2029]').search
"""Finds what cannot stand in a JSON string as it is."""
_PLAIN: Final = bytes(b if 0x20 <= b < 0x80 and b not in b'"\\<>&' else int(b == 0) for b in range(256))
"""Turns every byte that is not plain into another one."""
_ESCAPES: Final = (
    (b"<", rb"\u003c"),
    (b">", rb"\u003e"),
    (b"&", rb"\u0026"),
    (b"\xe2\x80\xa8", rb"\u2028"),
    (b"\xe2\x80\xa9", rb"\u2029"),
)


def encode(value: object) -> bytes:
    """The value as compact JSON in Go's spelling."""
    text = _encode(value)
    return text if _find_special(text) is None else escape(text)


def quoted(text: str) -> bytes:
    """A text as a JSON string, the same as `encode` writes it; faster when nothing in it needs an escape."""
    return b'"%b"' % text.encode() if _find_escaped(text) is None else encode(text)


def is_plain(inside: bytes) -> bool:
    """Whether the inside of a JSON string is ASCII, valid and the same in Go's spelling: False is no answer."""
    return inside.translate(_PLAIN) == inside


def escape(text: bytes) -> bytes:
    """Go's escapes, applied to a finished JSON text."""
    for character, escaped in _ESCAPES:
        text = text.replace(character, escaped)
    return text
