"""JSON, times, durations and names as a Go program writes and reads them."""

import pytest

from modelpool_simulators.ollama import golang, names


def test_strings_are_escaped_for_html() -> None:
    assert golang.encode({"a": "<b> & \u2028"}) == b'{"a":"\\u003cb\\u003e \\u0026 \\u2028"}'


@pytest.mark.parametrize(
    ("nanoseconds", "want"),
    [
        (1795356143_120_000_000, "2026-11-22T14:02:23.12Z"),
        (1795356143_000_000_000, "2026-11-22T14:02:23Z"),
        (1795356143_000_000_001, "2026-11-22T14:02:23.000000001Z"),
    ],
)
def test_times_have_the_digits_they_need(nanoseconds: int, want: str) -> None:
    assert golang.timestamp(nanoseconds) == want


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("5m", 300),
        ("1h30m", 5400),
        ("50ms", 0.05),
        ("30", 30),
        (0, 0),
        (1.5, 1.5),
        (-1, golang.FOREVER),
        ("-1s", golang.FOREVER),
    ],
)
def test_durations_are_read(given: object, want: float) -> None:
    assert golang.seconds(given) == pytest.approx(want)


@pytest.mark.parametrize("given", ["", "soon", "5 minutes", True, None])
def test_other_durations_are_refused(given: object) -> None:
    with pytest.raises(ValueError):
        golang.seconds(given)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("qwen3", "qwen3:latest"),
        ("qwen3:8b", "qwen3:8b"),
        ("me/model:v1", "me/model:v1"),
        ("hf.co/Org/Model-GGUF:Q4_K_M", "hf.co/Org/Model-GGUF:Q4_K_M"),
        ("localhost:5000/ns/m", "localhost:5000/ns/m:latest"),
    ],
)
def test_names_have_a_short_form(text: str, short: str) -> None:
    assert names.parse(text).short == short
    assert names.parse(text.upper()).key == names.parse(text).key


@pytest.mark.parametrize("text", ["", "a b", "a/b/c/d", ":tag", "a:"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(names.InvalidNameError):
        names.parse(text)
