"""Ways in which a network may cut a stream of bytes, and how hard property tests try."""

from collections.abc import Iterator

from hypothesis import settings
from hypothesis import strategies as st


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    """The data, cut at these places."""
    at = 0
    for cut in sorted(cut % (len(data) + 1) for cut in cuts):
        yield data[at:cut]
        at = cut
    yield data[at:]


def bytewise(data: bytes) -> Iterator[bytes]:
    """One byte at a time."""
    return (data[place : place + 1] for place in range(len(data)))


CUTS = st.lists(st.integers(min_value=0, max_value=10_000), max_size=12)

QUICK = settings(max_examples=40, deadline=None)
"""Enough to find a wrong cut, few enough for a unit test; no deadline, machines are loaded."""
