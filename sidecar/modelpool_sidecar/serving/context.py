"""One request from arrival to its end: its times and ids, what it wants, and what became of it."""

import secrets
import time
from functools import lru_cache
from typing import Final

from ..http import headers
from ..http.server.request import RequestHead, ServerRequest
from ..routing.choose import Target
from ..routing.route_request import RouteRequest
from ..telemetry.events import Events, RequestFacts
from . import forwarded_headers
from .resolved_head import ResolvedHead

_ID_DIGITS: Final = 32
_DRAWN: Final = 128
"""Ids at once."""
_REMEMBERED: Final = 1024
"""Ways a request may go whose header lines are remembered."""


class RequestContext(RequestFacts):
    """What is known of a request so far. Mutable: the handlers fill it in."""

    def __init__(
        self, request: ServerRequest, head: RequestHead, resolved: ResolvedHead, request_id: str, events: Events
    ) -> None:
        """`head`: that of the request. `request_id`: printable ASCII. `events` hear of the first byte."""
        super().__init__(
            request_id=request_id,
            method=head.method,
            path=head.path,
            dialect=resolved.dialect_name,
            caller=resolved.caller.name,
            started_ns=time.monotonic_ns(),
        )
        self.request = request
        self.resolved = resolved
        self.id_line = b"X-Request-Id: %b\r\n" % request_id.encode()
        """The id as a header."""
        self.epoch_ns = time.time_ns()
        """The wall clock at `started_ns`."""
        self.wanted: RouteRequest | None = None
        """What it wants of an engine, while it is at one or looks for one."""
        self.warnings: tuple[str, ...] = ()
        """What was asked for and knowingly not passed on."""
        self._events = events

    def aim(self, target: Target) -> None:
        """Note where the request goes now."""
        self.attempts += 1
        self.target = target
        self.model = target.name
        self.pool = target.pool_name
        self.backend = target.engine
        self.route = target.route._value_
        self.skipped = "" if target.why is None else target.why._value_

    def began(self) -> None:
        """Note that the first byte goes to the caller."""
        if not self.first_byte_ns:
            self.first_byte_ns = time.monotonic_ns()
            self._events.first_byte(self)

    def refitted(self, how: str) -> None:
        """Note that the engine refused it for its length, and gets it again: `shortened` or `unbounded`."""
        self._events.refitted(self, how)

    def lines(self, kept: bytes) -> bytes:
        """The header lines of the answer: those that are `kept` of an engine's, and ours.

        Ours are the request's id, and where the answer came from if an engine gave it.
        """
        lines = kept + self.id_line
        if self.backend:
            lines += _way(self.backend, self.pool, self.route, self.queue_ns // 1_000_000)
        cors = self.resolved.cors
        if self.warnings or cors:
            more = [(forwarded_headers.WARNING, forwarded_headers.warning(self.warnings))] if self.warnings else []
            lines += headers.lines((*more, *cors.items()))
        return lines


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
            (forwarded_headers.BACKEND, backend),
            (forwarded_headers.POOL, pool),
            (forwarded_headers.ROUTE, route),
            (forwarded_headers.QUEUE_MS, str(queue_ms)),
        )
    )
