"""What may be connected to: hosts, URLs and addresses as documents and EndpointSlices name them. Pure.

Whatever is let through here can be resolved, connected to and written into a request without an error of its own kind:
a name that no resolver would take is refused where it is read, not where it is used.
"""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

PORTS: Final = range(1, 65536)

_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_LONGEST_HOST: Final = 253
_LONGEST_URL: Final = 2048
_VISIBLE: Final = re.compile(r"[!-~]+")
"""ASCII without space and control characters."""


def objection_to_url(url: str) -> str | None:
    """Return what is wrong with the base URL of an engine, or None."""
    if not url.startswith(("http://", "https://")):
        return "must start with http:// or https://"
    if len(url) > _LONGEST_URL:
        return f"must not be longer than {_LONGEST_URL} characters"
    if not _VISIBLE.fullmatch(url):
        return "must be of visible ASCII characters, without spaces"
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError:  # whose message may quote what is no port, but half of a password
        return "is no URL that can be taken apart"
    if parts.query or parts.fragment or "@" in parts.netloc:
        return "must have neither query, nor fragment, nor credentials"
    if not (is_host(host) if "[" not in parts.netloc else _is_v6(host)):
        return f"has no host that can be resolved: {host!r}"
    if port is not None and port not in PORTS:
        return f"must have a port from {PORTS[0]} to {PORTS[-1]}, got {port}"
    return None


def is_host(text: str) -> bool:
    """Whether a resolver would look at it: an IPv4 address, or labels of 1 to 63 letters, digits and dashes."""
    name = text.removesuffix(".")
    return 0 < len(name) <= _LONGEST_HOST and all(_LABEL.fullmatch(label) for label in name.split("."))


def pod_address(text: object) -> str | None:
    """Return an address of an EndpointSlice as a URL's host, or None when no pod can have it.

    The API server lets none of those in that mean the machine itself or its link (the cloud's metadata among them);
    the gateway, whose own network such an address would be of, does not rely on that.
    """
    if not isinstance(text, str):
        return None
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv4Address):
        return None if _is_near(found) else text
    mapped = found.ipv4_mapped
    if found.scope_id is not None or _is_near(found) or (mapped is not None and _is_near(mapped)):
        return None
    return f"[{text}]"


def _is_near(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified


def _is_v6(text: str) -> bool:
    try:
        return ipaddress.IPv6Address(text).scope_id is None
    except ValueError:
        return False
