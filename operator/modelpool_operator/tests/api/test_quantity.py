"""Quantities of bytes, as Kubernetes writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_operator.api.quantity import GIB, Quantity, gib

AMOUNTS = {
    "0": 0,
    "1024": 1024,
    "24Gi": 24 * GIB,
    "6.1Gi": 6549825126,
    "1.5G": 1_500_000_000,
    "500M": 500_000_000,
    "1k": 1000,
    "2Ki": 2048,
    "1e9": 1_000_000_000,
    "1E": 10**18,
    ".5Gi": GIB // 2,
}


@pytest.mark.parametrize(("text", "want"), AMOUNTS.items())
def test_a_quantity_is_a_number_of_bytes(text: str, want: int) -> None:
    assert Quantity(text).bytes == want
    assert str(Quantity(text)) == text


@pytest.mark.parametrize("text", ["", "Gi", "-1Gi", "1gi", "1 Gi", "1Gi ago", "nan", "0x10", "1K"])
def test_what_is_no_quantity_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="must be a quantity such as '24Gi' or '500M', got"):
        Quantity(text)


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_quantities_compare_as_numbers(first: int, second: int) -> None:
    assert (Quantity(first) < Quantity(second)) == (first < second)
    assert (Quantity(first) == Quantity(str(second))) == (first == second)


def test_two_spellings_of_one_amount_are_one() -> None:
    assert len({Quantity("1024Mi"), Quantity("1Gi")}) == 1


@pytest.mark.parametrize(("amount", "want"), [(0, "0.0Gi"), (GIB, "1.0Gi"), (-1, "0.0Gi"), (-GIB, "-1.0Gi")])
def test_gib(amount: int, want: str) -> None:
    assert gib(amount) == want
