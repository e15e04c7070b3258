"""Sizes as Kubernetes and vLLM write them: `24Gi`, `512Mi`, `2k`, `1.5e9`, plain bytes."""

from __future__ import annotations

import re

GIB = 1024**3

_UNITS = {
    "": 1,
    "k": 10**3,
    "K": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 1024,
    "Mi": 1024**2,
    "Gi": GIB,
    "Ti": 1024**4,
}
_QUANTITY = re.compile(r"(?P<number>\d+(?:\.\d+)?(?:[eE]\d+)?)(?P<unit>|k|K|M|G|T|Ki|Mi|Gi|Ti)B?")


def parse(text: str) -> int:
    """Return the bytes of a size; raises ValueError that says what is allowed."""
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"must be bytes or a size such as '24Gi', got {text!r}")
    return int(float(match["number"]) * _UNITS[match["unit"]])


def gib(size: float) -> str:
    """Write bytes as GiB with two digits, as vLLM's messages do."""
    return f"{size / GIB:.2f}"
