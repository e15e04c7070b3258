import math

import pytest

from modelpool_sidecar.dialects.go_json import parse_keep_alive, rfc3339
from modelpool_sidecar.http.errors import BadRequestError


@pytest.mark.parametrize(
    ("value", "want"),
    [
        ("5m", 300),
        ("1h30m", 5400),
        ("1.5s", 1.5),
        ("300ms", 0.3),
        ("0", 0),
        (0, 0),
        (30, 30),
        (0.5, 0.5),
        (-1, math.inf),
        ("-1m", math.inf),
        ("+2s", 2),
    ],
)
def test_keep_alive(value: object, want: float) -> None:
    assert parse_keep_alive(value) == pytest.approx(want)


@pytest.mark.parametrize("value", ["", "5", "5 m", "m", "five", "-", "5m3", True, None, [], {}])
def test_keep_alive_refuses(value: object) -> None:
    with pytest.raises(BadRequestError, match="duration"):
        parse_keep_alive(value)


@pytest.mark.parametrize(
    ("nanoseconds", "want"),
    [
        (1795357231_655766997, "2026-11-22T14:20:31.655766997Z"),
        (1795357231_633499900, "2026-11-22T14:20:31.6334999Z"),
        (1795357231_000000001, "2026-11-22T14:20:31.000000001Z"),
        (1795357231_000000000, "2026-11-22T14:20:31Z"),
    ],
)
def test_time_has_no_trailing_zeros(nanoseconds: int, want: str) -> None:
    assert rfc3339(nanoseconds) == want
