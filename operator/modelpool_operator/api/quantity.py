"""Kubernetes quantities of bytes (`24Gi`, `500M`): parsed once, compared as numbers, shown as people write them."""

import re
from decimal import Decimal
from functools import total_ordering
from typing import Final

GIB: Final = 1024**3
MIB: Final = 1024**2

_FRACTIONS: Final = {suffix: Decimal(1000) ** -power for power, suffix in enumerate("mun", start=1)}
_FACTORS: Final = {
    "": Decimal(1),
    **_FRACTIONS,
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}
_PATTERN: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?")


def number_of(text: object) -> Decimal | None:
    """Return a quantity of anything, such as `500m`, `1.5Gi` or `2e3`, as a number; None of what is none."""
    match = _PATTERN.fullmatch(str(text).strip())
    if match is None:
        return None
    number, suffix = match[1], match[2] or ""
    return Decimal(number) * _FACTORS[suffix] if suffix in _FACTORS else Decimal(f"{number}{suffix}")


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
        number = number_of(written)
        if number is None or written[-1] in _FRACTIONS:
            raise ValueError(f"must be a quantity such as '24Gi' or '500M', got '{text}'")
        self.bytes = int(number)
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
