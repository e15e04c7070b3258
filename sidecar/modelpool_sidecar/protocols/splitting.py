"""Bytes into lines, however the network cut them; shared by both stream codecs."""

import re
from typing import Final

from .errors import EngineError

MAX_LINE_BYTES: Final = 64 * 1024 * 1024
"""An engine that sends more than this without ending the line is broken. Long answers of agents stay far below."""

ANY_END: Final = re.compile(rb"\r\n|\n|\r")
"""The line ends of server-sent events. Never those of `str.splitlines`: a JSON text may hold U+2028 raw."""


class LineSplitter:
    """Feed it chunks; it gives back the lines that are complete, without their ends.

    `cr` says whether a CR ends a line too, alone or before LF.
    """

    def __init__(self, *, cr: bool, limit: int = MAX_LINE_BYTES) -> None:
        self._cr = cr
        self._limit = limit
        self._after_cr = False
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Lines completed by this chunk. Raises EngineError when one line grows beyond the limit."""
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")  # the second half of a CR LF
        if self._cr and b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            lines = ANY_END.split(chunk)
        else:
            lines = chunk.split(b"\n")
        rest = lines.pop()
        if lines and self._parts:
            lines[0] = b"".join((*self._parts, lines[0]))
            self._parts.clear()
            self._size = 0
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
            if self._size > self._limit:
                raise EngineError(f"the engine sent a line of more than {self._limit} bytes")
        return lines

    @property
    def between(self) -> bool:
        """Whether all that came were whole lines."""
        return not self._parts and not self._after_cr

    def close(self) -> bytes:
        """The line that the end of the stream left without its end; empty when there is none."""
        rest = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return rest
