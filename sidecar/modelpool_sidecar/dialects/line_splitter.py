"""Bytes into lines, however the network cut them; shared by both stream codecs."""

import re
from typing import Final

from .bounds import USUAL, Bounds

ANY_END: Final = re.compile(rb"\r\n|\n|\r")
"""The line ends of server-sent events. Never those of `str.splitlines`: a JSON text may hold U+2028 raw."""


class LineSplitter:
    """Feed it chunks; it gives back the lines that are complete, without their ends.

    `cr` says whether a CR ends a line too, alone or before LF.
    """

    def __init__(self, *, cr: bool, bounds: Bounds = USUAL) -> None:
        self._cr = cr
        self._bounds = bounds
        self._after_cr = False
        self._begun = bytearray()  # no list: a byte that came alone would take fifty in it

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
        if lines and self._begun:
            self._begun += lines[0]
            lines[0] = self.close()
        self._begun += rest
        most = self._bounds.line_bytes
        if (
            len(self._begun) > most
            or (lines and len(lines[0]) > most)
            or (len(chunk) > most and _longest(lines) > most)
        ):
            self._begun.clear()
            raise self._bounds.long_line()
        return lines

    def whole(self, chunk: bytes) -> bytes:
        """As `feed`, the lines in one piece and with their ends: what costs is bytes, and not lines. Not with `cr`."""
        end = chunk.rfind(b"\n") + 1
        begun = self._begun
        most = self._bounds.line_bytes
        first = len(begun) + (chunk.find(b"\n") if end else len(chunk))
        if first > most or len(chunk) - end > most or (len(chunk) > most and _longest(chunk[:end].split(b"\n")) > most):
            begun.clear()
            raise self._bounds.long_line()
        if not end:
            self._begun += chunk
            return b""
        if not begun and end == len(chunk):
            return chunk
        lines = self.close() + chunk[:end]
        self._begun += chunk[end:]
        return lines

    @property
    def between(self) -> bool:
        """Whether all that came were whole lines."""
        return not self._begun and not self._after_cr

    def close(self) -> bytes:
        """The line that the end of the stream left without its end; empty when there is none."""
        rest = bytes(self._begun)
        self._begun.clear()
        return rest


def _longest(lines: list[bytes]) -> int:
    return max(map(len, lines), default=0)
