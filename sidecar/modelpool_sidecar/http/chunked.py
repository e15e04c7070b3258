"""Chunks of a body that come whole, as an engine's events nearly always do, one or several at once. Sans I/O.

What is anything else (a long one, the last one, one with extensions) is left to the parser.
"""

from typing import Final

LAST: Final = b"0\r\n\r\n"
"""Ends a body, where no trailers follow."""
_END: Final = b"\r\n"
_LEAST_BYTES: Final = len(b"1\r\nx\r\n")
_MOST_BYTES: Final = 16 * 1024
"""Larger ones cost what they hold, and not how they are framed."""
_MOST_DIGITS: Final = 4
_DIGITS: Final = frozenset(b"0123456789abcdefABCDEF")
_lengths: Final[dict[int, bytes]] = {}
"""What a chunk begins with that carries so many bytes, as far as such were sent."""
_sizes: Final[dict[bytes, int]] = {}
"""The same the other way round, as far as such were read."""
_CR: Final = 0x0D
_LF: Final = 0x0A


def framed(data: bytes) -> bytes:
    """A chunk that carries `data`, which is not empty."""
    size = len(data)
    length = _lengths.get(size)
    if length is None:
        length = b"%x\r\n" % size
        if size <= _MOST_BYTES:
            _lengths[size] = length
    return b"".join((length, data, _END))


def begin(data: bytes) -> int:
    """Where the data of the one whole chunk begins that `data` is; 0 when it is anything else, or written unusually.

    It must begin where a chunk may begin. Byte by byte, because compiled nothing is made and nothing called by that.
    """
    size = len(data)
    if not _LEAST_BYTES <= size <= _MOST_BYTES or data[size - 1] != _LF or data[size - 2] != _CR:
        return 0
    length, at = 0, 0
    digit = data[0]
    if digit == 0x30:
        return 0
    while digit != _CR:
        if 0x30 <= digit <= 0x39:
            length = length * 16 + digit - 0x30
        elif 0x61 <= digit <= 0x66:
            length = length * 16 + digit - 0x57
        else:
            return 0
        at += 1
        if at > _MOST_DIGITS:
            return 0
        digit = data[at]
    return at + 2 if data[at + 1] == _LF and at + 2 + length + 2 == size else 0


def several(data: bytes) -> tuple[bytes, int, int]:
    """What the whole chunks carry that `data` begins with, where they end, and how much is missing of the next one.

    `data` must begin where a chunk may begin. What begins behind the whole ones is for the parser unless it is said to
    be a chunk, of which at least so many bytes are missing.
    """
    carried: list[bytes] = []
    at, size = 0, len(data)
    line, length = b"", 0
    missing = 0
    while at < size:
        if not line or data[at : at + len(line)] != line:
            line_end = data.find(b"\n", at, at + _MOST_DIGITS + len(_END)) + 1
            if not line_end:
                begun = size - at < _MOST_DIGITS + len(_END) and _DIGITS.issuperset(data[at:].rstrip(b"\r"))
                missing = 1 if begun else 0
                break
            line = data[at:line_end]
            length = _size(line)
        begin = at + len(line)
        end = begin + length
        after = end + len(_END)
        if not length:
            break
        if after > size:
            if end >= size or data[end:] == _END[:1]:
                missing = after - size
            break
        if data[end:after] != _END:
            break
        carried.append(data[begin:end])
        at = after
    return b"".join(carried), at, missing


def _size(line: bytes) -> int:
    """How many bytes a chunk carries that begins with this line; 0 for what is left to the parser."""
    size = _sizes.get(line)
    if size is None:
        digits = line[: -len(_END)]
        size = int(digits, 16) if line.endswith(_END) and digits and _DIGITS.issuperset(digits) else 0
        if size > _MOST_BYTES:
            size = 0
        if size:
            _sizes[line] = size
    return size
