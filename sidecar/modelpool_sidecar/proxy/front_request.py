"""What a caller asks, out of the bytes of its connection. Sans I/O: llhttp parses, this decides what is common.

Common is what nearly all callers send: HTTP/1.1, a known length or no body, a path without escapes. Whatever else
comes (an upload in chunks, a compressed body, an old client, a call for administration, and everything malformed) is
not judged here: the caller is shown to the other door. So nothing is refused here, and what is accepted is what
llhttp accepts when it is strict; the other door's parser is the same.
"""

import re
from collections.abc import AsyncIterator
from typing import Final

import httptools
from multidict import CIMultiDict

from ..protocols import paths
from ..protocols.paths import Call, Kind
from .way_back import WayBack

_HEAD_BYTES: Final = 8190
"""The longest head that is read here; the other door allows as much for one line."""
_MOST_HEADERS: Final = 128
_TARGET: Final = re.compile(rb"(/[-A-Za-z0-9._~!$&'()*+,;=:@/]*)(?:\?([-A-Za-z0-9._~!$&'()*+,;=:@/?%]*))?").fullmatch
_UNCOMMON: Final = ("Transfer-Encoding", "Content-Encoding", "Upgrade")
_CONTINUE: Final = "100-continue"
_END: Final = b"\r\n\r\n"


class Head:
    """The head of a common request; llhttp fills it in."""

    __slots__ = (
        "_pairs",
        "_parser",
        "_target",
        "_version",
        "_whole",
        "headers",
        "lasting",
        "length",
        "method",
        "path",
        "query",
        "waits",
    )

    method: str
    path: str
    query: str
    headers: CIMultiDict[str]
    length: int
    """Bytes of the body."""
    lasting: bool
    """Whether the caller wants to ask again."""
    waits: bool
    """Whether the caller sends its body only when told to."""

    def __init__(self) -> None:
        self._target = b""
        self._pairs: list[tuple[str, str]] = []
        self._whole = False
        self._parser = httptools.HttpRequestParser(self)

    def on_url(self, data: bytes) -> None:
        """The target, whole, because the head is fed whole."""
        self._target += data

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._pairs.append((name.decode("ascii"), value.strip(b" \t").decode("utf-8", "surrogateescape")))

    def on_headers_complete(self) -> None:
        """Only now llhttp knows: once a request without a body is whole, it has forgotten."""
        self._whole = True
        self.lasting = self._parser.should_keep_alive()

    def read(self, head: bytes) -> None:
        """Fill in what llhttp finds. Raises its errors."""
        try:
            self._parser.feed_data(head)
            self.method = self._parser.get_method().decode()
            self._version = self._parser.get_http_version()
        finally:
            del self._parser  # which knows this object

    def is_common(self, most_bytes: int) -> bool:
        """Whether the request can be served from here; fills in the rest."""
        target = _TARGET(self._target)
        if target is None or not self._whole or self._version != "1.1" or len(self._pairs) > _MOST_HEADERS:
            return False
        self.path, self.query = target[1].decode(), (target[2] or b"").decode()
        self.headers = headers = CIMultiDict(self._pairs)
        self.length = int(headers.get("Content-Length", "0"))
        expects = headers.get("Expect", "").lower()
        self.waits = expects == _CONTINUE
        if any(name in headers for name in _UNCOMMON) or (expects and not self.waits) or self.length > most_bytes:
            return False
        if self.method in ("GET", "HEAD"):
            return not self.length
        if self.method != "POST":
            return False
        call = paths.resolve("POST", self.path)
        return not isinstance(call, Call) or call.kind is not Kind.ADMIN


def _read(head: bytes, most_bytes: int) -> Head | None:
    """The head of a request, up to and with its blank line; None when it is not common.

    `most_bytes`: the largest body that is taken.
    """
    found = Head()
    try:
        found.read(head)
        return found if found.is_common(most_bytes) else None
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None


class Requests:
    """The common requests of one connection, out of its bytes."""

    def __init__(self, most_bytes: int) -> None:
        """`most_bytes`: the largest body that is taken."""
        self._most_bytes = most_bytes
        self._head: Head | None = None
        self._parts: list[bytes] = []
        self._missing = 0
        self.held = b""
        """What has come and belongs to no request that was taken."""
        self.uncommon = False
        """Whether what is held is for the other door."""

    @property
    def reading(self) -> Head | None:
        """The head of a request whose body is still coming."""
        return self._head

    def feed(self, data: bytes) -> None:
        """Keep what has come."""
        if not self._missing:
            self.held = self.held + data if self.held else data
        elif len(data) <= self._missing:
            self._parts.append(data)
            self._missing -= len(data)
        else:
            self._parts.append(data[: self._missing])
            self.held = data[self._missing :]
            self._missing = 0

    def take(self) -> tuple[Head, bytes] | None:
        """The next request with its body, if it is whole; else look at `uncommon`."""
        if self._head is None and not self._begin():
            return None
        if self._missing:
            return None
        head, self._head = self._head, None
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts = []
        return (head, body) if head is not None else None

    def _begin(self) -> bool:
        """Look for a head in what is held."""
        end = self.held.find(_END) + len(_END)
        if end < len(_END):
            self.uncommon = len(self.held) > _HEAD_BYTES or b"\n\n" in self.held
            return False
        head = _read(self.held[:end], self._most_bytes) if end <= _HEAD_BYTES else None
        if head is None:
            self.uncommon = True
            return False
        self._head, self._missing = head, head.length
        rest, self.held = self.held[end:], b""
        if rest or not head.length:
            taken = rest[: head.length]
            self._parts.append(taken)
            self._missing -= len(taken)
            self.held = rest[head.length :]
        return True


class FrontVisitor:
    """Implements `visitor.Visitor`: a request that is here with its body."""

    __slots__ = ("_body", "back", "headers", "method", "path", "query")

    def __init__(self, head: Head, body: bytes, back: WayBack) -> None:
        self.method = head.method
        self.path = head.path
        self.query = head.query
        self.headers: CIMultiDict[str] = head.headers
        self.back = back
        self._body = body

    async def read(self) -> bytes:
        """See `visitor.Visitor`."""
        return self._body

    def pieces(self) -> AsyncIterator[bytes] | None:
        """See `visitor.Visitor`."""
        return _once(self._body) if self._body else None


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
