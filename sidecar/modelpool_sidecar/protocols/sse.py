"""Server-sent events, without I/O.

Follows the WHATWG event-stream grammar, on bytes: lines end at CR LF, LF or CR and nowhere else (a JSON text may hold
U+2028 raw), a byte order mark may open the stream, lines that begin with a colon are comments, several `data` lines
join with LF. One deviation: an event cut off by the end of the stream is still given, by `close`, because its reader
checks the JSON anyway.
"""

import re
from typing import Final

import msgspec

from .errors import EngineError

MAX_EVENT_BYTES: Final = 64 * 1024 * 1024
"""An engine that sends more than this without ending the event is broken. Long answers of agents stay far below."""

_BOM: Final = b"\xef\xbb\xbf"
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One event. `data` stays bytes: who reads it decodes JSON from bytes."""

    data: bytes
    event: str = ""
    id: str = ""


class Decoder:
    """Feed it whatever the network gave; it gives back the events that are complete."""

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._limit = max_event_bytes
        self._rest = b""
        self._opened = False
        self._data: list[bytes] = []
        self._size = 0
        self._event = ""
        self._id = ""

    def feed(self, chunk: bytes) -> list[Event]:
        """Events completed by this chunk. Raises EngineError when one event grows beyond the limit."""
        block = self._rest + chunk if self._rest else chunk
        if not self._opened:
            if len(block) < len(_BOM) and _BOM.startswith(block):
                self._rest = block
                return []
            self._opened = True
            block = block.removeprefix(_BOM)
        if b"\r" in block:
            held = b""
            if block.endswith(b"\r"):  # the LF of a CR LF may still come
                block, held = block[:-1], b"\r"
            lines = _LINE_END.split(block)
            self._rest = lines.pop() + held
        else:
            lines = block.split(b"\n")
            self._rest = lines.pop()
        if self._size + len(self._rest) > self._limit:
            raise EngineError(f"the engine sent an event of more than {self._limit} bytes")
        return self._take(lines)

    def close(self) -> list[Event]:
        """The event that the end of the stream cut off, if any."""
        lines = _LINE_END.split(self._rest)
        self._rest = b""
        return self._take([*lines, b""])

    def _take(self, lines: list[bytes]) -> list[Event]:
        events: list[Event] = []
        for line in lines:
            if not line:
                if self._data:
                    data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                    events.append(Event(data=data, event=self._event, id=self._id))
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
        self._size += len(value)
        if self._size > self._limit:
            raise EngineError(f"the engine sent an event of more than {self._limit} bytes")
        self._data.append(value)


def encode(data: bytes, *, event: str = "") -> bytes:
    """One event as bytes. Line ends inside `data` become several data lines."""
    head = f"event: {event}\n".encode() if event else b""
    lines = _LINE_END.split(data)
    return head + b"".join(b"data: " + line + b"\n" for line in lines) + b"\n"
