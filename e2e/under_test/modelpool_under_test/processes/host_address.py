"""An address of this machine that a pod could have: the API server lets no loopback into an EndpointSlice."""

import ipaddress
import socket

import pytest

_ELSEWHERE = "198.51.100.1"
"""Of a network for documentation (RFC 5737): nothing is sent there, it is asked which way would be taken."""


def host_address() -> str:
    """Return it; skips the test on a machine whose only network is its loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect((_ELSEWHERE, 9))
            found = str(asked.getsockname()[0])
        except OSError:
            found = "127.0.0.1"
    if ipaddress.ip_address(found).is_loopback:
        pytest.skip("this machine has no address beside its loopback, and no engine can be in an EndpointSlice")
    return found
