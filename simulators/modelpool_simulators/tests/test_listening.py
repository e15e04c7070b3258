"""Addresses of all interfaces are of both families, as those of the real engines."""

import socket

import pytest

from .. import listening


def reaches(host: str, port: int) -> bool:
    with socket.create_connection((host, port), timeout=5):
        return True


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_all_addresses_are_of_both_families(host: str) -> None:
    with listening.bound("::", 0) as made:
        made.listen()
        assert reaches(host, made.getsockname()[1])


def test_one_address_is_one_address() -> None:
    with listening.bound("127.0.0.1", 0) as made:
        made.listen()
        assert reaches("127.0.0.1", made.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            listening.bound("127.0.0.1", made.getsockname()[1])
