"""What a caller, an engine or all of them together may take of the gateway, and how often each limit was reached.

One value per gateway, made of its settings and handed to whoever keeps a limit. Whoever keeps one says so with
`reached`; the metric `modelpool_gateway_limits_reached_total` shows it, `docs/reference/limits.md` lists them all.
"""

from enum import StrEnum
from typing import Final


class Limit(StrEnum):
    """Every limit by name. A closed set: it labels a metric."""

    CONNECTIONS = "connections"
    HEAD_SECONDS = "head_seconds"
    BODY_BYTES = "body_bytes"
    BODY_SECONDS = "body_seconds"
    BODY_RATE = "body_rate"
    BODIES_BYTES = "bodies_bytes"
    BODY_VALUES = "body_values"
    WRITE_SECONDS = "write_seconds"
    ENGINE_CONNECT_SECONDS = "engine_connect_seconds"
    ENGINE_SILENCE_SECONDS = "engine_silence_seconds"
    ENGINE_LINE_BYTES = "engine_line_bytes"
    ENGINE_ANSWER_BYTES = "engine_answer_bytes"
    LOG_LINES = "log_lines"


_MEBIBYTE: Final = 1024 * 1024


class Limits:
    """The limits of one gateway. The values are read-only."""

    def __init__(
        self,
        *,
        max_connections: int = 4096,
        head_timeout: float = 30.0,
        idle_timeout: float = 75.0,
        max_body_bytes: int = 64 * _MEBIBYTE,
        body_timeout: float = 300.0,
        min_body_rate: int = 1000,
        max_bodies_bytes: int = 128 * _MEBIBYTE,
        max_body_values: int = 1_000_000,
        write_timeout: float = 60.0,
        max_engine_line_bytes: int = 8 * _MEBIBYTE,
        max_engine_answer_bytes: int = 64 * _MEBIBYTE,
        max_log_lines: int = 10_000,
    ) -> None:
        """See `settings.Settings`, which has the same fields but for `idle_timeout`."""
        self.max_connections = max_connections
        self.head_timeout = head_timeout
        self.idle_timeout = idle_timeout
        """How long a connection is kept between requests, in seconds."""
        self.max_body_bytes = max_body_bytes
        self.body_timeout = body_timeout
        self.min_body_rate = min_body_rate
        self.max_bodies_bytes = max_bodies_bytes
        self.max_body_values = max_body_values
        self.write_timeout = write_timeout
        self.max_engine_line_bytes = max_engine_line_bytes
        self.max_engine_answer_bytes = max_engine_answer_bytes
        self.max_log_lines = max_log_lines
        self.counts = {limit._value_: 0 for limit in Limit}
        """How often each was reached."""

    def reached(self, limit: Limit) -> None:
        """Count that a limit was reached."""
        self.counts[limit._value_] += 1
