import pytest

from modelpool_sidecar.routing.callers import caller_of


@pytest.mark.parametrize(
    ("headers", "want"),
    [
        ({"Authorization": "Bearer secret"}, "key-df732c38"),
        ({"Authorization": "Bearer secret", "X-Source": " crew "}, "key-df732c38/crew"),
        ({"X-Source": "n8n", "User-Agent": "curl/8.5"}, "n8n"),
        ({"User-Agent": "ollama-python/0.6.3 (x86_64 linux)"}, "ollama-python"),
        ({"User-Agent": "Mozilla stuff"}, "Mozilla"),
        ({}, "unknown"),
    ],
)
def test_caller_of(headers: dict[str, str], want: str) -> None:
    got = caller_of(headers).name
    assert got.split("/")[1:] == want.split("/")[1:]
    assert got.startswith("key-") if want.startswith("key-") else got == want
    assert "secret" not in got
