"""Sums of memory, shown so that a reader who adds the summands gets the total."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from modelpool_operator.api.quantity import GIB

CACHE: Final = "KV cache"
STATED_CACHE: Final = f"{CACHE} as stated"
"""Summands of a share, by which the cache is told from the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One summand, in bytes."""

    label: str
    bytes: int


def exact_gib(amount: int) -> str:
    """Return bytes with two decimals, `8.43Gi`: enough to see by how little something does not fit."""
    return f"{amount / GIB:.2f}Gi"


def shown(amounts: Sequence[int], before_them: int = 0) -> tuple[str, ...]:
    """Return amounts in GiB with two decimals, rounded such that they add up to their sum, rounded.

    Each one is the difference of two rounded running totals, so none is off by more than 0.01.

    Args:
        amounts: in bytes.
        before_them: what was counted before, where these are parts of a longer sum.
    """
    total, before, parts = before_them, round(before_them * 100 / GIB), []
    for amount in amounts:
        total += amount
        rounded = round(total * 100 / GIB)
        parts.append(f"{(rounded - before) / 100:.2f}Gi")
        before = rounded
    return tuple(parts)


def total(terms: Sequence[Term]) -> int:
    """Return the sum of the terms in bytes."""
    return sum(term.bytes for term in terms)


def spelled(terms: Sequence[Term]) -> str:
    """Return `5.68Gi weights + 1.20Gi runtime`."""
    amounts = shown([term.bytes for term in terms])
    return " + ".join(f"{amount} {term.label}" for amount, term in zip(amounts, terms, strict=True))
