"""Telling callers apart, for fairness and for the log. Pure over headers."""

import hashlib
from collections.abc import Mapping

_LONGEST = 64


class Caller:
    """Who asks. Read-only, and the same for all requests with one head."""

    __slots__ = ("identity", "kind", "name", "source")

    def __init__(self, *, identity: str, source: str, kind: str = "") -> None:
        self.identity = identity
        """A digest of the credentials; empty without any. The key itself is kept nowhere."""
        self.source = source
        """What the caller says of itself, in `X-Source` or as the product in User-Agent."""
        self.kind = kind
        """The class of callers that limits and priorities go by; empty while there are none."""
        self.name = f"{identity}/{source}" if identity and source else identity or source or "unknown"
        """Both together, short enough for a log: callers with one name are one caller."""


def caller_of(headers: Mapping[str, str]) -> Caller:
    """Who asks, by `headers`, which must be case-insensitive: by API key and `X-Source`, else by User-Agent."""
    key = headers.get("Authorization") or headers.get("X-Api-Key") or ""
    source = headers.get("X-Source", "").strip()[:_LONGEST]
    identity = f"key-{hashlib.sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}" if key else ""
    if not identity and not source:
        source = headers.get("User-Agent", "").strip().split("/", 1)[0].split(" ", 1)[0][:_LONGEST]
    return Caller(identity=identity, source=source)
