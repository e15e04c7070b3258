r"""JSON as Go's encoding/json writes it, which is what clients of Ollama have always read.

No spaces; `<`, `>`, `&`, U+2028 and U+2029 escaped. Those can only stand inside strings, so escaping the finished
bytes is right.
"""

from typing import Final

import msgspec

_ENCODER: Final = msgspec.json.Encoder()


def encode(value: object) -> bytes:
    """The value as compact JSON in Go's spelling."""
    return escape(_ENCODER.encode(value))


def escape(text: bytes) -> bytes:
    """Go's escapes, applied to a finished JSON text."""
    if b"<" in text:
        text = text.replace(b"<", rb"\u003c")
    if b">" in text:
        text = text.replace(b">", rb"\u003e")
    if b"&" in text:
        text = text.replace(b"&", rb"\u0026")
    if b"\xe2\x80" in text:
        text = text.replace(b"\xe2\x80\xa8", rb"\u2028").replace(b"\xe2\x80\xa9", rb"\u2029")
    return text
