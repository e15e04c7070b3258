"""A chunk of a body that comes whole and alone, as an engine's events nearly always do. Sans I/O.

What is anything else (several chunks, a part of one, the last one, one with extensions) is left to the parser.
"""

from typing import Final

_END: Final = b"\r\n"
_MOST_BYTES: Final = 16 * 1024
"""Larger ones cost what they hold, and not how they are framed."""
_MOST_DIGITS: Final = 4
_NONE: Final = b"\n"
"""Begins no chunk."""
_beginnings: Final[dict[int, bytes]] = {}
"""What a whole chunk begins with that is so many bytes long, as far as such were seen."""


def unframed(data: bytes) -> bytes | None:
    """What one whole chunk carries; None when `data` is anything else. It must begin where a chunk may begin."""
    size = len(data)
    beginning = _beginnings.get(size)
    if beginning is None:
        beginning = _beginning(size)
    if data.startswith(beginning) and data.endswith(_END):
        return data[len(beginning) : size - len(_END)]
    return None


def _beginning(size: int) -> bytes:
    """The line that says how long the chunk is; there is one at most, because longer chunks have no fewer digits."""
    if size > _MOST_BYTES:
        return _NONE
    found = _NONE
    for digits in range(1, _MOST_DIGITS + 1):
        line = b"%x\r\n" % max(0, size - digits - 2 * len(_END))
        if len(line) == digits + len(_END) and not line.startswith(b"0"):
            found = line
    _beginnings[size] = found
    return found
