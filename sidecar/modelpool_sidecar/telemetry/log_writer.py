"""Lines for whoever reads a stream, and never a wait for them.

A pipe that nobody reads fills up, and then a write waits without end: with one event loop, for everybody. So a thread
writes. What has not been read is kept up to a number of lines; further ones are lost, and how many is told in the log
as soon as there is room again. A closed pipe or a full disk costs the lines too, and nothing else.
"""

import os
import select
import threading
from collections.abc import Callable
from typing import Final, Protocol

_BYTES_OF_A_LINE: Final = 1024
"""On average: more than a line has, unless somebody wants it to."""
_LONGEST_WAIT: Final = 1.0
"""Seconds until a stream that takes nothing now is asked again."""


class Stream(Protocol):
    """Where lines go: a `LogWriter`, or whatever takes text."""

    def write(self, text: str, /) -> object: ...  # noqa: D102
    def flush(self) -> None: ...  # noqa: D102


class LogWriter:
    """Writes to one file descriptor. Its thread ends with `close`, or with the program."""

    def __init__(self, descriptor: int | None, *, most_lines: int, lost_line: Callable[[int], str]) -> None:
        """None drops everything. `lost_line`: the line that says how many were lost, with its end."""
        self._descriptor = descriptor
        self._most_lines = most_lines
        self._lost_line = lost_line
        self._changed = threading.Condition()
        self._pending: list[tuple[bytes, int]] = []
        self._waiting = 0
        """Lines that are pending or being written."""
        self._unreported = 0
        self._bytes = 0
        """Of these lines."""
        self._torn = False
        """Whether the last line that was written has no end."""
        self._closing = False
        self.lost = 0
        """Lines, since the beginning."""
        self.when_lost: Callable[[], None] | None = None
        """Called by whoever writes a line that is lost; not by the thread."""
        self._worker = threading.Thread(target=self._run, name="log", daemon=True)
        if descriptor is not None:
            self._worker.start()

    def write(self, text: str) -> int:
        """Take whole lines; returns their length, as streams do. Never waits, never fails."""
        if self._descriptor is None:
            return len(text)
        data = text.encode("utf-8", "backslashreplace")
        lines = max(1, text.count("\n"))
        with self._changed:
            room = self._waiting + lines <= self._most_lines
            room = room and self._bytes + len(data) <= self._most_lines * _BYTES_OF_A_LINE
            fits = not self._closing and (room or not self._waiting)
            if fits:
                self._pending.append((data, lines))
                self._waiting += lines
                self._bytes += len(data)
                self._changed.notify_all()
            else:
                self._lose(lines)
        if not fits and self.when_lost is not None:
            self.when_lost()
        return len(text)

    def flush(self) -> None:
        """What was taken is written as soon as it can be: there is nothing to do."""

    def close(self, timeout: float) -> None:
        """Take no more, and wait so many seconds for what was taken to be written."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._descriptor is not None:
            self._worker.join(timeout)

    def _lose(self, lines: int) -> None:
        self.lost += lines
        self._unreported += lines

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._pending and not self._unreported and not self._closing:
                    self._changed.wait()
                pending, self._pending = self._pending, []
                unreported, self._unreported = self._unreported, 0
                if not pending and not unreported:
                    return
            for data, lines in pending:
                written = self._write(data)
                with self._changed:
                    self._waiting -= lines
                    self._bytes -= len(data)
                    if not written:
                        self._lose(lines)
            if unreported and not self._write(self._lost_line(unreported).encode("utf-8", "backslashreplace")):
                with self._changed:
                    self._unreported += unreported
                    if self._closing:
                        return
                    self._changed.wait(_LONGEST_WAIT)

    def _write(self, data: bytes) -> bool:
        """Write all of it, however long that takes; whether that went well."""
        assert self._descriptor is not None
        rest = memoryview(b"\n" + data if self._torn else data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
                self._torn = True
            except BlockingIOError:  # somebody else has made it non-blocking
                self._until_writable(self._descriptor)
            except OSError:
                return False
        self._torn = False
        return True

    def _until_writable(self, descriptor: int) -> None:
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        poll.poll(_LONGEST_WAIT * 1000)
