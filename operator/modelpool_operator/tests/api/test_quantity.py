"""Quantities of bytes, as Kubernetes writes them."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_operator.api.quantity import GIB, LARGEST, Quantity, count_in, gib, number_of
from modelpool_operator.tests.api.crd import FIELDS

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


COSTLY = {
    "1e999999999": LARGEST,
    "1e400000": LARGEST,
    f"1e{'9' * 1000}": LARGEST,
    "9" * 400_000: LARGEST,
    f"{'9' * 400_000}E": LARGEST,
    f"1e{'0' * 100_000}3": 1000,
    f"{'9' * 400_000}e-999999999": 0,
    "0e999999999": 0,
    f".{'0' * 400_000}1e-999999999": 0,
}


@pytest.mark.parametrize(("text", "want"), COSTLY.items(), ids=[text[:12] for text in COSTLY])
def test_a_text_costs_no_more_than_its_length(text: str, want: int) -> None:
    """One pool's spec must not hold up the others: 400,000 digits took five seconds, squared with their number."""
    begun = time.process_time()
    number = number_of(text)
    try:
        Quantity(text)
    except ValueError as exc:
        assert len(str(exc)) < 100
    assert time.process_time() - begun < 0.5
    assert number is not None
    assert number + 1 == pytest.approx(want + 1)
    assert number_of(f"{text} ago") is None


@pytest.mark.parametrize("text", ["1e999999999", "8Ei", "9" * 5000, 10**4000])
def test_a_quantity_is_below_what_kubernetes_counts(text: str | int) -> None:
    with pytest.raises(ValueError, match="must be a quantity below 8Ei, got"):
        Quantity(text)


@pytest.mark.parametrize(
    ("text", "want"),
    [("0", 0), (17, 17), ("9" * 5000, None), (str(2**63), None), (None, None), ("1.5", None), ("-1", None)],
)
def test_a_count_is_digits_alone(text: object, want: int | None) -> None:
    assert count_in(text) == want


def test_the_schema_bounds_what_a_quantity_may_say() -> None:
    """The API server's rules compute with what passes the pattern, before any operator reads it."""
    fields = {path: field for path, field in FIELDS.items() if "[KMGTPE]i" in field.get("pattern", "")}
    assert len(fields) > 8
    for text in ("1e999999999", "1e100", "9" * 100_000, f"1.{'9' * 100_000}"):
        short = [path for path, field in fields.items() if len(text) <= field.get("maxLength", len(text))]
        assert [path for path in short if re.search(fields[path]["pattern"], text)] == []
    free = [path for path, field in fields.items() if "x-kubernetes-int-or-string" in field]
    for text in ("1e9", "6.1Gi", "24576", ".5G"):
        assert [path for path in free if not re.search(fields[path]["pattern"], text)] == []
