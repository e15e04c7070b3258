"""One request from arrival to its line in the log: times, ids, and what became of it."""

import secrets
import time
from functools import lru_cache
from typing import Final

from ..dialects.errors import cut
from ..http import headers
from ..http.server.request import ServerRequest
from ..routing.choose import Target
from ..routing.demand import Tally
from ..routing.route_request import RouteRequest
from ..telemetry.access_record import AccessRecord
from ..telemetry.metrics import UNKNOWN
from .resolved_head import ResolvedHead

_ID_DIGITS: Final = 32
_DRAWN: Final = 128
"""Ids at once."""
_LONGEST_TOLD: Final = 1024
"""Characters of a path or an error in the log."""
_REMEMBERED: Final = 1024
"""Ways a request may go whose header lines are remembered."""


class RequestContext:
    """What is known of a request so far. Mutable: the handlers fill it in."""

    __slots__ = (
        "attempts", "backend", "dialect", "ended_ns", "epoch_ns", "error", "first_byte_ns", "id_line", "model",
        "opening", "pool", "queue_ns", "request_id", "route", "sent", "started_ns", "status", "tally", "visitor",
        "wanted", "warnings",
    )  # fmt: skip

    def __init__(self, visitor: ServerRequest, opening: ResolvedHead, request_id: str) -> None:
        """`request_id`: printable ASCII."""
        self.visitor = visitor
        self.opening = opening
        self.request_id = request_id
        self.id_line = b"X-Request-Id: %b\r\n" % request_id.encode()
        """The same as a header."""
        self.dialect = opening.dialect
        self.epoch_ns = time.time_ns()
        self.started_ns = time.monotonic_ns()
        self.first_byte_ns = 0
        """0 as long as nothing has gone to the caller."""
        self.ended_ns = 0
        self.queue_ns = 0
        self.attempts = 0
        self.sent = 0
        self.status = 0
        self.tally: Tally | None = None
        """What is counted of the model that it was aimed at."""
        self.wanted: RouteRequest | None = None
        """What it wants of an engine, while it is at one or looks for one."""
        self.model = UNKNOWN
        self.pool = ""
        self.backend = ""
        self.route = ""
        self.error = ""
        self.warnings: tuple[str, ...] = ()
        """What was asked for and knowingly not passed on."""

    def aim(self, target: Target) -> None:
        """Note where the request goes now."""
        self.attempts += 1
        self.tally = target.tally
        self.model = target.name
        self.pool = target.pool_name
        self.backend = target.engine._value_
        self.route = target.route._value_

    def began(self) -> None:
        """Note that the first byte goes to the caller."""
        if not self.first_byte_ns:
            self.first_byte_ns = time.monotonic_ns()

    def lines(self, kept: bytes) -> bytes:
        """The header lines of the answer: those that are `kept` of an engine's, and ours.

        Ours are the request's id, and where the answer came from if an engine gave it.
        """
        told = kept + self.id_line
        if self.backend:
            told += _way(self.backend, self.pool, self.route, self.queue_ns // 1_000_000)
        cors = self.opening.cors
        if self.warnings or cors:
            more = [(headers.WARNING, headers.warning(self.warnings))] if self.warnings else []
            told += headers.lines((*more, *cors.items()))
        return told

    def record(self) -> AccessRecord:
        """The line for the log, once the request has ended."""
        started, first = self.started_ns, self.first_byte_ns
        path, error = self.visitor.head.path, self.error
        return AccessRecord(
            request_id=self.request_id,
            method=self.visitor.head.method,
            path=path if len(path) <= _LONGEST_TOLD else cut(path, _LONGEST_TOLD),
            dialect=self.dialect._value_,
            model=self.model,
            pool=self.pool,
            backend=self.backend,
            route=self.route,
            status=self.status,
            attempts=self.attempts,
            queue_ms=self.queue_ns // 1_000_000,
            ttfb_ms=(first - started) // 10_000 / 100 if first else None,
            duration_ms=(self.ended_ns - started) // 10_000 / 100,
            bytes=self.sent,
            caller=self.opening.caller,
            error=error if len(error) <= _LONGEST_TOLD else cut(error, _LONGEST_TOLD),
        )


class Ids:
    """New ids for requests, drawn many at once: to ask the system for each would take a microsecond."""

    def __init__(self) -> None:
        self._drawn = ""
        self._place = 0

    def new(self) -> str:
        """32 hexadecimal digits."""
        place = self._place
        if place == len(self._drawn):
            self._drawn, place = secrets.token_hex(_DRAWN * _ID_DIGITS // 2), 0
        self._place = ends = place + _ID_DIGITS
        return self._drawn[place:ends]


@lru_cache(maxsize=_REMEMBERED)
def _way(backend: str, pool: str, route: str, queue_ms: int) -> bytes:
    """The header lines that say where an answer came from."""
    return headers.lines(
        (
            (headers.BACKEND, backend),
            (headers.POOL, pool),
            (headers.ROUTE, route),
            (headers.QUEUE_MS, str(queue_ms)),
        )
    )
