"""What the load program can be asked, and what it answers: its scenario and its result. Pure."""

from dataclasses import dataclass
from typing import Final

import msgspec

MODEL: Final = "bench"
"""The one model that the simulated vLLM serves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What the callers do; the fields are those of the program."""

    path: str = "/v1/chat/completions"
    body: str
    connections: int = 0
    """Callers that each wait for their answer before they ask again."""
    rate: float = 0.0
    """Requests a second, whatever becomes of them, in place of `connections`."""
    stream: bool = False
    tokens: int = 0
    """Of one stream."""
    pace_ms: float = 0.0
    """Between two tokens; 0: as fast as they are taken."""
    burst: int = 1
    """Tokens that one write of the upstream carries, where they go as fast as they are taken."""
    lockstep: bool = False
    """A token only when its caller has got the one before."""
    stagger_ms: float = 0.0
    """Over which the callers' first requests are spread."""
    warmup: float = 0.3
    """Seconds before anything is measured."""
    seconds: float = 1.0
    """That are measured, at most."""
    units: int = 0
    """Requests, or chunks of a stream, after which the measurement ends earlier; 0: never."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Many durations, in microseconds."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a scenario."""

    requests: int
    tokens: int
    errors: int
    error: str = ""
    seconds: float
    cpu_seconds: float
    """Of the processes under test."""
    own_seconds: float
    """Of the program itself: near `seconds`, it was the bottleneck."""
    rss_bytes: int
    active: int
    latency: Summary
    first: Summary
    transit: Summary
    jitter: Summary
