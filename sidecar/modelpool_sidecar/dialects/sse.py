"""Server-sent events, without I/O.

Follows the WHATWG event-stream grammar, on bytes: lines end at CR LF, LF or CR, a byte order mark may open the stream,
lines that begin with a colon are comments, several `data` lines join with LF. One deviation: an event cut off by the
end of the stream is still given, by `close`, because its reader checks the JSON anyway.
"""

import re
from typing import Final, NamedTuple

from .bounds import DEFAULT, Bounds

_DATA: Final = b"data: "
_END: Final = b"\n\n"
_LINE_COSTS: Final = 32
"""What a further line of an event takes besides its bytes, and counts for: it may be empty."""
_BOM: Final = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event. `data` stays bytes: who reads it decodes JSON from bytes."""

    data: bytes
    event: str = ""
    id: str = ""


class Decoder:
    """Feed it whatever the network gave; it gives back the events that are complete."""

    def __init__(self, bounds: Bounds = DEFAULT) -> None:
        """An event may be as long as a line."""
        self._bounds = bounds
        self._limit = bounds.line_bytes
        self._lines = LineSplitter(cr=True, bounds=bounds)
        self._first = True
        self._data: list[bytes] = []
        self._size = 0
        self._event = ""
        self._id = ""

    def feed(self, chunk: bytes) -> list[Event]:
        """Events completed by this chunk. Raises EngineError when one event grows beyond the limit."""
        # What engines send nearly always: one event, one line, one chunk.
        whole = chunk.startswith(_DATA) and chunk.endswith(_END) and chunk.find(b"\n") == len(chunk) - len(_END)
        if whole and self.between and b"\r" not in chunk and len(chunk) <= self._limit:
            return [Event(chunk[len(_DATA) : -len(_END)], "", self._id)]
        return self._take(self._lines.feed(chunk))

    @property
    def between(self) -> bool:
        """Whether all that came were whole events."""
        return self._lines.between and not (self._first or self._data or self._event)

    def close(self) -> list[Event]:
        """The event that the end of the stream cut off, if any."""
        return self._take([self._lines.close(), b""])

    def _take(self, lines: list[bytes]) -> list[Event]:
        events: list[Event] = []
        if self._first and lines:
            self._first = False
            lines[0] = lines[0].removeprefix(_BOM)
        for line in lines:
            if not line:
                if self._data:
                    data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                    events.append(Event(data, self._event, self._id))
                    self._data = []
                    self._size = 0
                self._event = ""
            elif line.startswith(b"data: "):
                self._append(line[6:])
            elif not line.startswith(b":"):
                self._field(line)
        return events

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._append(value)
        elif name == b"event":
            self._event = value.decode(errors="replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode(errors="replace")

    def _append(self, value: bytes) -> None:
        self._size += len(value) + _LINE_COSTS if self._data else len(value)
        if self._size > self._limit:
            raise self._bounds.long_line()
        self._data.append(value)


def encode(data: bytes, *, event: str = "") -> bytes:
    """One event as bytes. Line ends inside `data` become several data lines."""
    head = f"event: {event}\n".encode() if event else b""
    return head + b"".join(b"data: " + line + b"\n" for line in ANY_END.split(data)) + b"\n"


_CUT_BYTES: Final = 4 * 1024
ANY_END: Final = re.compile(rb"\r\n|\n|\r")
"""The line ends of server-sent events. Never those of `str.splitlines`: a JSON text may hold U+2028 raw."""


def whole_lines(raw: bytes) -> tuple[bytes, bytes]:
    """The lines of a chunk, and the one at its end that the network has cut: to be put before the next chunk.

    A longer one is not parted: the decoder has a limit, and copies no byte twice.
    """
    end = raw.rfind(b"\n") + 1
    return (raw, b"") if len(raw) - end > _CUT_BYTES or b"\r" in raw else (raw[:end], raw[end:])


class LineSplitter:
    """Feed it chunks; it gives back the lines that are complete, without their ends.

    `cr` says whether a CR ends a line too, alone or before LF.
    """

    def __init__(self, *, cr: bool, bounds: Bounds = DEFAULT) -> None:
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
