"""Telling callers apart, for fairness and for the log. Pure over headers."""

import hashlib
from collections.abc import Mapping

_LONGEST = 64


def caller_of(headers: Mapping[str, str]) -> str:
    """A short name for who asks: API key (as a digest) and `X-Source` together, else the product in User-Agent.

    The key itself never leaves this function. `headers` must be case-insensitive.
    """
    key = headers.get("Authorization") or headers.get("X-Api-Key") or ""
    source = headers.get("X-Source", "").strip()[:_LONGEST]
    named = [source] if source else []
    if key:
        named.insert(0, "key-" + hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:8])
    if named:
        return "/".join(named)
    agent = headers.get("User-Agent", "").strip()
    return agent.split("/", 1)[0].split(" ", 1)[0][:_LONGEST] or "unknown"
