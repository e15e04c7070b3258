"""Newline-delimited JSON, without I/O: a line ends at LF, and nowhere else; blank lines are skipped."""

from typing import Final

from .errors import EngineError

MAX_LINE_BYTES: Final = 64 * 1024 * 1024
"""An engine that sends more than this without ending the line is broken."""

_BLANK: Final = b" \t\r"


class Decoder:
    """Feed it whatever the network gave; it gives back the lines that are complete, without their ends."""

    def __init__(self, *, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._limit = max_line_bytes
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Lines completed by this chunk. Raises EngineError when one line grows beyond the limit."""
        lines = chunk.split(b"\n")
        last = lines.pop()
        if lines and self._parts:
            lines[0] = b"".join((*self._parts, lines[0]))
            self._parts = []
            self._size = 0
        if last:
            self._parts.append(last)
            self._size += len(last)
            if self._size > self._limit:
                raise EngineError(f"the engine sent a line of more than {self._limit} bytes")
        return [line for each in lines if (line := each.strip(_BLANK))]

    def close(self) -> list[bytes]:
        """The line that the end of the stream left without its end, if any."""
        line = b"".join(self._parts).strip(_BLANK)
        self._parts = []
        self._size = 0
        return [line] if line else []


def encode(document: bytes) -> bytes:
    """One JSON text as a line."""
    return document + b"\n"
