"""A request as the bytes that an engine reads, and where an engine is. Pure.

`Place` is what a connection belongs to: two base URLs that differ in their path alone share connections.
"""

from collections.abc import AsyncIterable
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from .. import headers
from ..urls import shown

_KNOWN_STARTS: Final = 64
"""Request lines that each base remembers."""
_PORTS: Final = {"http": 80, "https": 443}


class ClientRequest:
    """What to send. Read-only: it may be sent again."""

    __slots__ = ("behalf", "body", "lines", "method", "path")

    def __init__(
        self,
        *,
        method: str,
        path: str,
        lines: bytes = b"",
        body: bytes | AsyncIterable[bytes] | None = None,
        behalf: object = None,
    ) -> None:
        self.method = method
        self.path = path
        """Begins with a slash and includes the query."""
        self.lines = lines
        """Headers as `headers.lines` writes them, without Host and what is hop-by-hop."""
        self.body = body
        """Bytes can be sent again to another engine; a stream cannot."""
        self.behalf = behalf
        """Whose request it is, for whoever looks at what is under way."""


class Origin(NamedTuple):
    """Where to connect to."""

    host: str
    port: int
    tls: bool


class BaseUrl:
    """A base URL, taken apart once."""

    __slots__ = ("_host", "_prefix", "_starts", "place")

    def __init__(self, url: str) -> None:
        """Raises ValueError when it is no URL."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError(f"not a URL of http or https: {shown(url)!r}")
        self.place = Origin(parts.hostname, parts.port or _PORTS[parts.scheme], parts.scheme == "https")
        self._host = headers.lines([("Host", parts.netloc.rpartition("@")[2])])
        self._prefix = parts.path.rstrip("/")
        self._starts: dict[tuple[str, str], bytes] = {}

    def head(self, request: ClientRequest) -> bytes:
        """Request line and headers, with the length of the body, or chunked when the body is a stream.

        Raises ValueError when the path would break out of its line.
        """
        key = request.method, request.path
        start = self._starts.get(key)
        if start is None:
            start = self._start(request)
            if len(self._starts) < _KNOWN_STARTS:  # queries are many, and theirs
                self._starts[key] = start
        body = request.body
        if isinstance(body, bytes):
            return b"".join((start, request.lines, b"Content-Length: %d\r\n\r\n" % len(body)))
        if body is not None:
            return b"%b%bTransfer-Encoding: chunked\r\n\r\n" % (start, request.lines)
        length = b"" if request.method in ("GET", "HEAD") else b"Content-Length: 0\r\n"
        return b"%b%b%b\r\n" % (start, request.lines, length)

    def _start(self, request: ClientRequest) -> bytes:
        line = f"{request.method} {self._prefix}{request.path} HTTP/1.1"
        if line.count(" ") != 2 or any(one in line for one in "\r\n\0"):
            raise ValueError("a space in the path is its line's end, and so is a line's end")
        return b"%b\r\n%b" % (line.encode("utf-8", "surrogateescape"), self._host)
