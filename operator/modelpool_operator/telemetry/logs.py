"""Log records: JSON in a cluster, text at a desk, and on every record the pool it is about.

The pool travels in a context variable, so that no function carries a logger as an argument: whatever logs while
`about(ref)` is in force, a library included, logs about that pool.
"""

import contextlib
import json
import logging
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

from modelpool_operator.api.names import ObjectRef

_about: ContextVar[ObjectRef | None] = ContextVar("about", default=None)

_NOT_FIELDS: Final = (
    frozenset(vars(logging.makeLogRecord({})))
    | {"message", "asctime", "taskName"}
    | {
        "k8s_ref",
        "k8s_skip",
        "settings",
    }
)
"""Attributes of every record, and those that kopf hangs on records for its own use."""


@contextlib.contextmanager
def about(ref: ObjectRef) -> Iterator[None]:
    """Let every record logged inside name this pool."""
    token = _about.set(ref)
    try:
        yield
    finally:
        _about.reset(token)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    ref = _about.get()
    if ref is not None:
        fields["namespace"], fields["pool"] = ref.namespace, ref.name
    given = vars(record).items()
    fields.update((key, value) for key, value in given if key not in _NOT_FIELDS)
    return fields


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, the pool, and the record's `extra` fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """One line for people: time, level, message, then the fields as `key=value`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line, with a traceback below it when there is one."""
        time = datetime.fromtimestamp(record.created, tz=UTC).astimezone().strftime("%H:%M:%S")
        fields = "".join(f" {key}={value}" for key, value in _fields(record).items())
        line = f"{time} {record.levelname:<7} {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure(*, as_json: bool, level: str) -> None:
    """Send every record of the process to stderr in one form. Called once, by the program."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("kopf").setLevel(max(logging.getLevelName(level), logging.WARNING) if level != "DEBUG" else level)
