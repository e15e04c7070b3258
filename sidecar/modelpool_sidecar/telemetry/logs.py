"""Log lines: JSON or text on stderr, and the one line per request.

Stdout is kept for the line that tells the ports, so that a program that starts the gateway reads exactly one line
there.
"""

import asyncio
import datetime
import logging
import time
from typing import Any, Final, Protocol

import msgspec

from . import escaping
from .access_record import AccessRecord

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


FLUSH_SECONDS: Final = 0.1
_MOST_LINES: Final = 1000
"""Lines that are kept, whatever the time."""
_LONGEST_MESSAGE: Final = 4096
_LONGEST_EXCEPTION: Final = 32 * 1024
_INDENT: Final = "\n    "
"""Begins the further lines of an exception, so that none of them can be taken for a record."""


class Stream(Protocol):
    """Where lines go: a `log_writer.LogWriter`, or whatever takes text."""

    def write(self, text: str, /) -> object: ...  # noqa: D102
    def flush(self) -> None: ...  # noqa: D102


class AccessLog:
    """Writes AccessRecords, without the logging module's cost per line, and many lines in one piece.

    A line is written at most `FLUSH_SECONDS` after its request ended; `flush` writes what is left at the end.
    """

    def __init__(self, stream: Stream | None, *, json: bool) -> None:
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
            try:
                text = escaping.json_text(self._encode(records).decode())
            except UnicodeEncodeError:  # one record's text is no Unicode, and must not cost the others
                text = "".join(f"{self._alone(record)}\n" for record in records)
        else:
            text = "".join(f"{_as_text(record)}\n" for record in records)
        self._stream.write(text)
        self._stream.flush()

    def _alone(self, record: AccessRecord) -> str:
        try:
            return escaping.json_text(self._encode([record]).decode().removesuffix("\n"))
        except UnicodeEncodeError:
            return escaping.json_object(_told(record))


def _told(record: AccessRecord) -> dict[str, Any]:
    """What `omit_defaults` leaves of a record."""
    plain = msgspec.structs.asdict(AccessRecord())
    return {name: value for name, value in msgspec.structs.asdict(record).items() if value != plain[name]}


def _as_text(record: AccessRecord) -> str:
    word = escaping.word
    route = f" -> {word(record.pool)} {word(record.backend)} {word(record.route)}" if record.backend else ""
    asked = f"{word(record.method)} {word(record.path)} {word(record.model)}"
    told = f"{asked} {record.status} {record.duration_ms:.0f} ms{route}"
    return f"{told}{' ' + escaping.text(record.error) if record.error else ''}"


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _now(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _short(record.getMessage()),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = _short(self.formatException(record.exc_info), _LONGEST_EXCEPTION)
        try:
            return escaping.json_text(msgspec.json.encode(line, enc_hook=str).decode())
        except (UnicodeEncodeError, msgspec.MsgspecError, TypeError, ValueError, OverflowError):
            return escaping.json_object(line)


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {key}={_field(str(value))}" for key, value in _fields(record).items())
        told = f"{record.levelname} {escaping.text(_short(record.getMessage()))}{fields}"
        if not record.exc_info:
            return told
        lines = _short(self.formatException(record.exc_info), _LONGEST_EXCEPTION).split("\n")
        return _INDENT.join((told, *map(escaping.text, lines)))


def set_up(*, json: bool, level: str, stream: Stream) -> None:
    """Send all loggers to one stream."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_JsonFormatter() if json else _TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def lost(count: int, *, json: bool) -> str:
    """The line that says how many lines nobody could be told."""
    message = f"lost {count} lines of the log"
    if not json:
        return f"WARNING {message}\n"
    line = {"time": _now(), "level": "warning", "logger": __name__, "message": message, "lines": count}
    return escaping.json_object(line) + "\n"


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    found = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    return {key: _short(value) if isinstance(value, str) else value for key, value in found.items()}


def _field(value: str) -> str:
    """As it is where it is a word; else in quotes."""
    if value and escaping.word(value) == value:
        return value
    quoted = escaping.text(value).replace('"', '\\"')
    return f'"{quoted}"'


def _short(text: str, longest: int = _LONGEST_MESSAGE) -> str:
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
