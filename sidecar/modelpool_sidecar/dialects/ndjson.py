"""Newline-delimited JSON, without I/O: a line ends at LF, and nowhere else; blank lines are skipped."""

from typing import Final

from .bounds import USUAL, Bounds
from .line_splitter import LineSplitter

_BLANK: Final = b" \t\r"


class Decoder:
    """Feed it whatever the network gave; it gives back the lines that are complete, without their ends."""

    def __init__(self, bounds: Bounds = USUAL) -> None:
        self._lines = LineSplitter(cr=False, bounds=bounds)

    def feed(self, chunk: bytes) -> list[bytes]:
        """Lines completed by this chunk. Raises EngineError when one line grows beyond the limit."""
        return [line for each in self._lines.feed(chunk) if (line := each.strip(_BLANK))]

    def close(self) -> list[bytes]:
        """The line that the end of the stream left without its end, if any."""
        line = self._lines.close().strip(_BLANK)
        return [line] if line else []


def encode(document: bytes) -> bytes:
    """One JSON text as a line."""
    return document + b"\n"
