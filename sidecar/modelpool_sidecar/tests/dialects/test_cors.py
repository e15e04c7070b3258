import pytest
from multidict import CIMultiDict

from modelpool_sidecar.dialects.answer import Answer
from modelpool_sidecar.dialects.cors import HostPolicy, are_loopback, is_local


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost", True),
        ("https://127.0.0.1:8443", True),
        ("http://localhost.evil.example", False),
        ("http://localhost:3000", True),
        ("app://obsidian.md", True),
        ("tauri://localhost", True),
        ("https://a.example.org", True),
        ("https://example.org", False),
        ("https://exact.example", True),
        ("https://exact.example:1", False),
        ("null", False),
    ],
)
def test_origins(origin: str, allowed: bool) -> None:
    assert HostPolicy(origins=("https://*.example.org", "https://exact.example")).allows(origin) is allowed


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost:11434", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("[::1]:8100", True),
        ("192.168.1.5:8100", True),
        ("10.0.0.1", True),
        ("box", True),
        ("x.internal", True),
        ("", True),
        ("8.8.8.8", False),
        ("evil.example", False),
        ("[::1", False),
    ],
)
def test_hosts(host: str, local: bool) -> None:
    assert is_local(host, "Box") is local


def test_only_a_gateway_on_loopback_minds_its_name() -> None:
    headers = CIMultiDict({"Host": "evil.example"})
    assert HostPolicy(loopback=False).check("GET", headers) == {}
    refused = HostPolicy(loopback=True).check("GET", headers)
    assert isinstance(refused, Answer)
    assert refused.status == 403
    assert are_loopback(["127.0.0.1", "::1", "localhost"])
    assert not are_loopback(["127.0.0.1", "0.0.0.0"])
    assert not are_loopback(["gateway"])
