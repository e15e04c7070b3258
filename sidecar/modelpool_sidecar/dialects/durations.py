"""Go's durations, as Ollama's keep_alive takes them, and its timestamps."""

import math
import re
from datetime import UTC, datetime
from typing import Final

from ..http.errors import BadRequestError
from .errors import cut

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
