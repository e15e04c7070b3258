"""Kubernetes quantities of bytes (`24Gi`, `500M`): parsed once, compared as numbers, shown as people write them."""

import re
from decimal import Decimal
from functools import total_ordering
from typing import Final

GIB: Final = 1024**3
MIB: Final = 1024**2

_SUFFIXES: Final = {
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
}
_PATTERN: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([KMGTPE]i|[kMGTPE])?|[eE]([+-]?[0-9]+))")


@total_ordering
class Quantity:
    """An amount of bytes that remembers how it was written.

    Args:
        text: a Kubernetes quantity, or a plain number of bytes.

    Raises:
        ValueError: the text is no quantity of whole, non-negative bytes.
    """

    __slots__ = ("bytes", "text")

    bytes: int
    text: str

    def __init__(self, text: str | int | float) -> None:
        written = str(text).strip()
        match = _PATTERN.fullmatch(written)
        if match is None:
            raise ValueError(f"must be a quantity such as '24Gi' or '500M', got '{text}'")
        number, suffix, exponent = match.groups()
        factor = Decimal(10) ** int(exponent) if exponent else _SUFFIXES[suffix or ""]
        self.bytes = int(Decimal(number) * factor)
        self.text = written

    def __repr__(self) -> str:
        return f"Quantity('{self.text}')"

    def __str__(self) -> str:
        return self.text

    def __hash__(self) -> int:
        return hash(self.bytes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.bytes == other.bytes

    def __lt__(self, other: "Quantity") -> bool:
        return self.bytes < other.bytes


def gib(amount: int) -> str:
    """Return bytes as people read them in this field: `8.3Gi`, one decimal, rounded half to even, never `-0.0Gi`."""
    return f"{amount / GIB:.1f}Gi".replace("-0.0", "0.0")
