"""The one line of the log per request."""

import asyncio
import datetime
import time
from typing import Any, Final

import msgspec

from . import escaping
from .access_record import AccessRecord
from .events import Listener, RequestFacts
from .log_writer import Stream

FLUSH_SECONDS: Final = 0.1
_MOST_LINES: Final = 1000
"""Lines that are kept, whatever the time."""
_LONGEST_TEXT: Final = 1024
"""Characters of a path or an error in the log."""


class AccessLog(Listener):
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

    def request_ended(self, facts: RequestFacts) -> None:
        """See `events.Listener`."""
        if self._stream is not None:
            self.write(_record(facts))

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
            return escaping.json_object(_plain(record))


def _record(facts: RequestFacts) -> AccessRecord:
    started, first = facts.started_ns, facts.first_byte_ns
    path, error = facts.path, facts.error
    return AccessRecord(
        request_id=facts.request_id,
        method=facts.method,
        path=path if len(path) <= _LONGEST_TEXT else escaping.shortened(path, _LONGEST_TEXT),
        dialect=facts.dialect,
        model=facts.model,
        pool=facts.pool,
        backend=facts.backend,
        route=facts.route,
        status=facts.status,
        attempts=facts.attempts,
        queue_ms=facts.queue_ns // 1_000_000,
        ttfb_ms=(first - started) // 10_000 / 100 if first else None,
        duration_ms=(facts.ended_ns - started) // 10_000 / 100,
        bytes=facts.sent,
        caller=facts.caller,
        error=error if len(error) <= _LONGEST_TEXT else escaping.shortened(error, _LONGEST_TEXT),
    )


def _plain(record: AccessRecord) -> dict[str, Any]:
    """What `omit_defaults` leaves of a record."""
    plain = msgspec.structs.asdict(AccessRecord())
    return {name: value for name, value in msgspec.structs.asdict(record).items() if value != plain[name]}


def _as_text(record: AccessRecord) -> str:
    word = escaping.word
    route = f" -> {word(record.pool)} {word(record.backend)} {word(record.route)}" if record.backend else ""
    asked = f"{word(record.method)} {word(record.path)} {word(record.model)}"
    line = f"{asked} {record.status} {record.duration_ms:.0f} ms{route}"
    return f"{line}{' ' + escaping.text(record.error) if record.error else ''}"
