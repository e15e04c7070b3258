"""Where a body ends: by its length, or by its chunks. Sans I/O.

Chunks are read strictly, so that nobody hides a request in them: digits without signs, lines that end with CR LF, and
what follows the digits or the last chunk is short and means nothing.
"""

from re import compile as pattern
from typing import Final

from ...errors import BadRequestError

_SIZE: Final = pattern(rb"([0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n").fullmatch
_TRAILER: Final = pattern(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n").fullmatch
_LONGEST_LINE: Final = 4096
_MOST_TRAILERS: Final = 8190
_END: Final = b"\r\n"


class Counted:
    """A body of a length that was announced."""

    __slots__ = ("_missing", "announced")

    def __init__(self, length: int) -> None:
        """`length` is more than 0."""
        self.announced = length
        """Bytes of the whole body; 0 when they are not known."""
        self._missing = length

    @property
    def ended(self) -> bool:
        """Whether the body is whole."""
        return not self._missing

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """What of the data belongs to the body, and what comes behind it."""
        part = data[: self._missing]
        self._missing -= len(part)
        return part, data[len(part) :]


class Chunked:
    """A body in chunks."""

    __slots__ = ("_in_trailers", "_left", "_line", "_trailers", "_until_end", "announced", "ended")

    def __init__(self) -> None:
        self.announced = 0
        """See `Counted`."""
        self.ended = False
        """See `Counted`."""
        self._left = 0
        self._line = b""
        self._until_end = False
        """Whether the line's end of a chunk is to come."""
        self._in_trailers = False
        self._trailers = 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """See `Counted`. Raises BadRequestError at what are no chunks."""
        parts: list[bytes] = []
        at, size = 0, len(data)
        while at < size and not self.ended:
            if self._left:
                part = data[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                self._until_end = not self._left
                continue
            ends = data.find(b"\n", at) + 1
            line = self._line + data[at : ends or size]
            at = ends or size
            if len(line) > _LONGEST_LINE or (self._until_end and not _END.startswith(line)):
                raise BadRequestError("the request body's chunks are malformed")
            if ends:
                self._line = b""
                self._take(line)
            else:
                self._line = line
        return b"".join(parts), data[at:]

    def _take(self, line: bytes) -> None:
        """Take a whole line."""
        if self._until_end:
            self._until_end = False
        elif not self._in_trailers:
            found = _SIZE(line)
            if found is None:
                raise BadRequestError("the request body's chunks are malformed")
            self._left = int(found[1], 16)
            self._in_trailers = not self._left
        elif line == _END:
            self.ended = True
        else:
            self._trailers += len(line)
            if self._trailers > _MOST_TRAILERS or not _TRAILER(line):
                raise BadRequestError("the request body's trailers are malformed")
