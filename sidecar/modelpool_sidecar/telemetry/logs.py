"""Log lines: JSON or text on stderr, and the one line per request.

Stdout is kept for the line that tells the ports, so that a program that starts the gateway reads exactly one line
there.
"""

import asyncio
import datetime
import logging
import sys
import time
from typing import Any, Final, TextIO

import msgspec

from .records import AccessRecord

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


FLUSH_SECONDS: Final = 0.1
_MOST_LINES: Final = 1000
"""Lines that are kept, whatever the time."""


class AccessLog:
    """Writes AccessRecords, without the logging module's cost per line, and many lines in one piece.

    A line is written at most `FLUSH_SECONDS` after its request ended; `flush` writes what is left at the end.
    """

    def __init__(self, stream: TextIO | None, *, json: bool) -> None:
        self._stream = stream
        self._json = json
        self._encode = msgspec.json.Encoder().encode_lines
        self._records: list[AccessRecord] = []
        self._second = -1
        self._stamp = ""
        """The second as the log writes it, up to its end."""
        self._millisecond = 0
        self._time = ""

    def write(self, record: AccessRecord) -> None:
        """One line, or nothing when switched off. Needs a running event loop."""
        if self._stream is None:
            return
        records = self._records
        if not records:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
        millisecond = time.time_ns() // 1_000_000
        if millisecond != self._millisecond:
            self._millisecond, self._time = millisecond, self._written(millisecond)
        record.time = self._time
        records.append(record)
        if len(records) >= _MOST_LINES:
            self.flush()

    def _written(self, millisecond: int) -> str:
        """A time since 1970 as the log writes it."""
        second = millisecond // 1000
        if second != self._second:
            self._second = second
            self._stamp = datetime.datetime.fromtimestamp(second, datetime.UTC).isoformat().removesuffix("+00:00")
        return f"{self._stamp}.{millisecond % 1000:03d}Z"

    def flush(self) -> None:
        """Write what is left."""
        if self._stream is None or not self._records:
            return
        records, self._records = self._records, []
        if self._json:
            text = self._encode(records).decode(errors="replace")
        else:
            text = "".join(f"{_as_text(record)}\n" for record in records)
        self._stream.write(text)
        self._stream.flush()


def _as_text(record: AccessRecord) -> str:
    route = f" -> {record.pool} {record.backend} {record.route}" if record.backend else ""
    told = f"{record.method} {record.path} {record.model} {record.status} {record.duration_ms:.0f} ms{route}"
    return f"{told}{' ' + record.error if record.error else ''}"


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _now(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{key}={value}" for key, value in _fields(record).items())
        return f"{super().format(record)} {fields}".rstrip()


def set_up(*, json: bool, level: str, stream: TextIO = sys.stderr) -> None:
    """Send all loggers to one stream."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_JsonFormatter() if json else _TextFormatter("%(levelname)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
