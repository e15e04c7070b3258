"""How a Go program writes JSON, times and durations.

Pure. `<`, `>`, `&` and the line separators are escaped, whole floats have no point, times have up to nine digits of a
second.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

_ESCAPES = {
    b"<": b"\\u003c",
    b">": b"\\u003e",
    b"&": b"\\u0026",
    "\u2028".encode(): b"\\u2028",
    "\u2029".encode(): b"\\u2029",
}
_ESCAPED = re.compile(b"|".join(_ESCAPES))
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

FOREVER = 292 * 365.25 * 86400
"""The longest duration Go can express, in seconds."""


def encode(value: Any) -> bytes:
    """Write a value as encoding/json does."""
    return _ESCAPED.sub(lambda match: _ESCAPES[match[0]], msgspec.json.encode(value))


def timestamp(nanoseconds: int) -> str:
    """Write a time since 1970 as RFC 3339 with the digits that are not zero."""
    seconds, rest = divmod(nanoseconds, 10**9)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{rest:09d}".rstrip("0")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def seconds(value: object) -> float:
    """Read a duration: a number of seconds, or Go's '1h30m'. Negative means for ever. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"Unsupported type: {value!r}")
    if isinstance(value, int | float):
        return FOREVER if value < 0 else float(value)
    text = value.strip()
    if text.lstrip("-").isdigit():
        return seconds(int(text))
    parts = _DURATION.findall(text.removeprefix("-"))
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != text.removeprefix("-"):
        raise ValueError(f'time: invalid duration "{value}"')
    if text.startswith("-"):
        return FOREVER
    return float(sum(float(number) * _SECONDS[unit] for number, unit in parts))
