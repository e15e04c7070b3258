"""A request as the bytes that an engine reads, and where an engine is. Pure.

`Place` is what a connection belongs to: two base URLs that differ in their path alone share connections.
"""

from typing import Final, NamedTuple
from urllib.parse import urlsplit

from . import headers
from .upstream import UpstreamRequest

LAST_CHUNK: Final = b"0\r\n\r\n"
_PORTS: Final = {"http": 80, "https": 443}


class Place(NamedTuple):
    """Where to connect to."""

    host: str
    port: int
    tls: bool


class Base(NamedTuple):
    """A base URL, taken apart once."""

    place: Place
    host_header: str
    prefix: str
    """What stands before each request's path; empty or with a slash at its beginning."""


def base_of(url: str) -> Base:
    """Take a base URL apart. Raises ValueError when it is none."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"not a URL of http or https: {url!r}")
    place = Place(parts.hostname, parts.port or _PORTS[parts.scheme], parts.scheme == "https")
    return Base(place, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"))


def head(base: Base, request: UpstreamRequest) -> bytes:
    """Request line and headers, with the length of the body, or chunked when the body is a stream.

    Raises ValueError when a header or the path would break out of its line.
    """
    if " " in request.path:
        raise ValueError("a space in the path is its line's end")
    pairs = [("Host", base.host_header), *request.headers]
    if isinstance(request.body, bytes):
        pairs.append(("Content-Length", str(len(request.body))))
    elif request.body is not None:
        pairs.append(("Transfer-Encoding", "chunked"))
    elif request.method not in ("GET", "HEAD"):
        pairs.append(("Content-Length", "0"))
    return headers.as_bytes(f"{request.method} {base.prefix}{request.path} HTTP/1.1", pairs)


def chunk(data: bytes) -> bytes:
    """One piece of a body of unknown length. Empty data would be its end."""
    return b"%x\r\n%b\r\n" % (len(data), data)
