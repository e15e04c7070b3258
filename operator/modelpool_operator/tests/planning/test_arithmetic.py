"""Sums that add up as they are shown."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from modelpool_operator.api.quantity import GIB
from modelpool_operator.planning.memory.arithmetic import exact_gib, shown

AMOUNTS = st.lists(st.integers(0, 100 * GIB), min_size=1, max_size=12)


def number(text: str) -> Decimal:
    return Decimal(text.removesuffix("Gi"))


@given(AMOUNTS)
def test_what_is_shown_adds_up_to_the_total_as_shown(amounts: list[int]) -> None:
    assert sum(number(part) for part in shown(amounts)) == number(f"{round(sum(amounts) * 100 / GIB) / 100:.2f}")


@given(AMOUNTS)
def test_no_summand_is_off_by_more_than_a_hundredth(amounts: list[int]) -> None:
    for part, amount in zip(shown(amounts), amounts, strict=True):
        assert abs(float(number(part)) - amount / GIB) <= 0.0101


def test_two_decimals() -> None:
    assert exact_gib(GIB * 8427 // 1000) == "8.43Gi"
