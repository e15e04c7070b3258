r"""How Go writes and reads JSON, times and durations, as Ollama does."""

import math
import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from ..http.errors import BadRequestError
from .quoting import cut

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


_UNITS_S: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_TERM: Final = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_LONGEST: Final = 1024
"""Characters of a duration; Go itself writes at most some twenty."""
_NS: Final = 1_000_000_000


def parse_keep_alive(value: object) -> float:
    """Seconds from a number of seconds or a Go duration; infinite when negative. Raises BadRequestError."""
    if isinstance(value, str):
        seconds = _go_duration(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            seconds = float(value)
        except OverflowError as error:
            raise BadRequestError("keep_alive is out of range") from error
    else:
        raise BadRequestError("keep_alive must be a number of seconds or a duration like '5m'")
    return math.inf if seconds < 0 else seconds


def _go_duration(text: str) -> float:
    sign = -1.0 if text.startswith("-") else 1.0
    digits = text[1:] if text[:1] in ("-", "+") else text
    if digits == "0":
        return 0.0
    total, end = 0.0, 0
    for term in _TERM.finditer(digits[:_LONGEST]):
        if term.start() != end:
            break
        total += float(term[1]) * _UNITS_S[term[2]]
        end = term.end()
    if not digits or end != len(digits):
        raise BadRequestError(f'time: invalid duration "{cut(text)}"')
    return sign * total


def rfc3339(epoch_ns: int) -> str:
    """UTC with up to nine digits of the second, trailing zeros cut, as Go prints a time."""
    seconds, rest = divmod(epoch_ns, _NS)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + fraction(rest) + "Z"


def fraction(nanoseconds: int) -> str:
    """The digits after the second with their point, or nothing."""
    return f".{nanoseconds:09d}".rstrip("0").rstrip(".") if nanoseconds else ""
