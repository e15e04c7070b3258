"""The lines of the program's own log: JSON or text on stderr.

Stdout is kept for the line that tells the ports, so that a program that starts the gateway reads exactly one line
there.
"""

import datetime
import logging
from typing import Any, Final

import msgspec

from . import escaping
from .escaping import shortened
from .log_writer import Stream

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


_LONGEST_MESSAGE: Final = 4096
_LONGEST_EXCEPTION: Final = 32 * 1024
_INDENT: Final = "\n    "
"""Begins the further lines of an exception, so that none of them can be taken for a record."""


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _now(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": shortened(record.getMessage(), _LONGEST_MESSAGE),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = shortened(self.formatException(record.exc_info), _LONGEST_EXCEPTION)
        try:
            return escaping.json_text(msgspec.json.encode(line, enc_hook=str).decode())
        except (UnicodeEncodeError, msgspec.MsgspecError, TypeError, ValueError, OverflowError):
            return escaping.json_object(line)


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {key}={_field(str(value))}" for key, value in _fields(record).items())
        line = f"{record.levelname} {escaping.text(shortened(record.getMessage(), _LONGEST_MESSAGE))}{fields}"
        if not record.exc_info:
            return line
        lines = shortened(self.formatException(record.exc_info), _LONGEST_EXCEPTION).split("\n")
        return _INDENT.join((line, *map(escaping.text, lines)))


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
    return {
        key: shortened(value, _LONGEST_MESSAGE) if isinstance(value, str) else value for key, value in found.items()
    }


def _field(value: str) -> str:
    """As it is where it is a word; else in quotes."""
    if value and escaping.word(value) == value:
        return value
    quoted = escaping.text(value).replace('"', '\\"')
    return f'"{quoted}"'


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
