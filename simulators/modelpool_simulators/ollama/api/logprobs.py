"""Log probabilities of made-up tokens, in Ollama's shape."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

_OTHERS = (" the", " a", ",", ".", " and", " of", " to", " in")


def native(tokens: Sequence[str], top: int) -> list[dict[str, Any]]:
    """Write one entry per token, with the `top` most likely ones at its place."""
    return [_token(token, top) for token in tokens]


def _token(token: str, top: int) -> dict[str, Any]:
    chosen = -(zlib.crc32(token.encode()) % 1000 + 1) / 500
    entry = _entry(token, chosen)
    if top:
        others = [other for other in _OTHERS if other != token]
        likely = [(token, chosen), *((other, chosen - 0.5 - place) for place, other in enumerate(others))]
        entry["top_logprobs"] = [_entry(*one) for one in likely[:top]]
    return entry


def _entry(token: str, value: float) -> dict[str, Any]:
    return {"token": token, "logprob": value, "bytes": list(token.encode())}
