"""Kubernetes quantities of bytes (`24Gi`, `500M`): parsed once, compared as numbers, shown as people write them.

Whoever writes a spec or an annotation writes these texts, and one pool's must not hold up the others: a text costs no
more than its length, whatever number it stands for.
"""

import re
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
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
_PATTERN: Final = re.compile(
    r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([numkMGTPE]|[KMGTPE]i)|[eE](?P<sign>[+-]?)(?P<power>[0-9]+))?"
)
LARGEST: Final = 2**63 - 1
"""What Kubernetes takes for every number above it."""
_WIDE: Final = Context(Emax=MAX_EMAX, Emin=MIN_EMIN)
"""In which no number overflows that is written out, or has one of the powers that are read."""
_POWER_DIGITS: Final = 9
"""Digits of a power of ten; with more, it is far beyond whatever the digits before it say."""
_SHOWN: Final = 40
"""Characters of a text that are shown."""


def number_of(text: object) -> Decimal | None:
    """Return a quantity of anything, such as `500m`, `1.5Gi` or `2e3`, as a number; None of what is none.

    As Kubernetes does, it takes `LARGEST` for whatever is above it.
    """
    match = _PATTERN.fullmatch(str(text).strip())
    if match is None:
        return None
    number = _WIDE.multiply(Decimal(match[1]), _FACTORS[match[2] or ""])
    if match["power"] is not None:
        power = match["power"].lstrip("0") or "0"
        number = _WIDE.scaleb(number, int(match["sign"] + power[:_POWER_DIGITS]))
    return min(number, Decimal(LARGEST))


def count_in(text: object) -> int | None:
    """Return a whole number that is written in digits alone; None of what is none, or is above `LARGEST`."""
    written = str(text)
    found = int(written) if written.isdecimal() and len(written) <= len(str(LARGEST)) else None
    return found if found is None or found <= LARGEST else None


@total_ordering
class Quantity:
    """An amount of bytes that remembers how it was written.

    Args:
        text: a Kubernetes quantity, or a plain number of bytes.

    Raises:
        ValueError: the text is no quantity of whole, non-negative bytes, or of 8Ei and more.
    """

    __slots__ = ("bytes", "text")

    bytes: int
    text: str

    def __init__(self, text: str | int | float) -> None:
        written = str(text).strip()
        number = number_of(written)
        if number is None or written[-1] in _FRACTIONS:
            raise ValueError(f"must be a quantity such as '24Gi' or '500M', got '{_shown(written)}'")
        if number >= LARGEST:
            raise ValueError(f"must be a quantity below 8Ei, got '{_shown(written)}'")
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


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def gib(amount: int) -> str:
    """Return bytes as people read them in this field: `8.3Gi`, one decimal, rounded half to even, never `-0.0Gi`."""
    return f"{amount / GIB:.1f}Gi".replace("-0.0", "0.0")
