"""What people are shown of an engine's address."""

import pytest

from modelpool_sidecar.http.urls import shown


@pytest.mark.parametrize(
    ("url", "want"),
    [
        ("http://engine:8000", "http://engine:8000"),
        ("http://engine:8000/v1", "http://engine:8000/v1"),
        ("https://user:secret@engine/v1", "https://***@engine/v1"),
        ("https://secret@engine", "https://***@engine"),
        ("https://user:sec/ret@engine", "https://***@engine"),
        ("https://user:sec@ret@engine", "https://***@engine"),
        ("https://engine/v1?key=secret", "https://engine/v1?***"),
        ("user:secret@engine", "***@engine"),
        ("http://@engine", "http://***@engine"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("", ""),
    ],
)
def test_a_shown_address_holds_no_credentials(url: str, want: str) -> None:
    assert shown(url) == want
