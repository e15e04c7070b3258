"""Log lines: JSON or text on stderr, and the one line per request.

Stdout is kept for the line that tells the ports, so that a program that starts the gateway reads exactly one line
there.
"""

import datetime
import logging
import sys
from typing import Any, Final, TextIO

import msgspec

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class AccessRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is told of one request. Durations in milliseconds; the caller is a digest or a product, never a key."""

    time: str = ""
    request_id: str = ""
    method: str = ""
    path: str = ""
    dialect: str = ""
    model: str = ""
    pool: str = ""
    backend: str = ""
    route: str = ""
    status: int = 0
    attempts: int = 0
    queue_ms: int = 0
    ttfb_ms: float | None = None
    duration_ms: float = 0.0
    bytes: int = 0
    caller: str = ""
    error: str = ""


class AccessLog:
    """Writes AccessRecords, without the logging module's cost per line."""

    def __init__(self, stream: TextIO | None, *, json: bool) -> None:
        self._stream = stream
        self._json = json
        self._encode = msgspec.json.Encoder().encode

    def write(self, record: AccessRecord) -> None:
        """One line, or nothing when switched off."""
        if self._stream is None:
            return
        if self._json:
            record.time = _now()
            self._stream.write(self._encode(record).decode() + "\n")
            return
        route = f" -> {record.pool} {record.backend} {record.route}" if record.backend else ""
        self._stream.write(
            f"{record.method} {record.path} {record.model} {record.status} {record.duration_ms:.0f} ms{route}"
            f"{' ' + record.error if record.error else ''}\n"
        )


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
