"""What is told of one request, as the encoder takes it. By itself, because the modules around it are compiled."""

import msgspec


class AccessRecord(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
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
