"""One request from arrival to its line in the log: times, ids, and what became of it."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ..protocols.dialect import Dialect
from ..routing.choose import Target
from ..telemetry.logs import AccessRecord
from ..telemetry.metrics import UNKNOWN
from . import headers
from .visitor import Visitor

_LONGEST_ID: Final = 200


@dataclass(slots=True, kw_only=True)
class Visit:
    """What is known of a request so far. Mutable: the handlers fill it in."""

    visitor: Visitor
    request_id: str
    dialect: Dialect
    caller: str
    epoch_ns: int = field(default_factory=time.time_ns)
    started_ns: int = field(default_factory=time.monotonic_ns)
    first_byte_ns: int | None = None
    queue_ns: int = 0
    attempts: int = 0
    sent: int = 0
    status: int = 0
    model: str = UNKNOWN
    pool: str = ""
    backend: str = ""
    route: str = ""
    error: str = ""
    warnings: tuple[str, ...] = ()
    """What was asked for and knowingly not passed on."""
    cors: Mapping[str, str] = field(default_factory=dict)
    """What a browser must read in the answer."""

    def aim(self, target: Target) -> None:
        """Note where the request goes now."""
        self.attempts += 1
        self.model = target.model.name
        pool = target.model.pool
        self.pool = f"{pool.namespace}/{pool.name}"
        self.backend = target.backend.engine.value
        self.route = target.route.value

    def began(self) -> None:
        """Note that the first byte goes to the caller."""
        if self.first_byte_ns is None:
            self.first_byte_ns = time.monotonic_ns()

    def headers(self) -> dict[str, str]:
        """What every answer carries, and where it came from if an engine gave it."""
        told = {headers.REQUEST_ID: self.request_id}
        if self.backend:
            told[headers.BACKEND] = self.backend
            told[headers.POOL] = self.pool
            told[headers.ROUTE] = self.route
            told[headers.QUEUE_MS] = str(self.queue_ns // 1_000_000)
        if self.warnings:
            told[headers.WARNING] = headers.warning(self.warnings)
        return {**told, **self.cors}

    def record(self) -> AccessRecord:
        """The line for the log."""
        first = self.first_byte_ns
        return AccessRecord(
            request_id=self.request_id,
            method=self.visitor.method,
            path=self.visitor.path,
            dialect=self.dialect.value,
            model=self.model,
            pool=self.pool,
            backend=self.backend,
            route=self.route,
            status=self.status,
            attempts=self.attempts,
            queue_ms=self.queue_ns // 1_000_000,
            ttfb_ms=None if first is None else round((first - self.started_ns) / 1e6, 2),
            duration_ms=round((time.monotonic_ns() - self.started_ns) / 1e6, 2),
            bytes=self.sent,
            caller=self.caller,
            error=self.error,
        )


def request_id(given: str | None) -> str:
    """The caller's id when it is fit for a header and a log, else a new one."""
    if given and len(given) <= _LONGEST_ID and given.isascii() and given.isprintable():
        return given
    return secrets.token_hex(16)
