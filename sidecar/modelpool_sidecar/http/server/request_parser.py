"""The heads of common requests. Sans I/O: llhttp parses, this decides what is common.

Common is what nearly all callers send: HTTP/1.1, a known length or no body, a path without escapes. Whatever else
comes (an upload in chunks, a compressed body, an old client, a caller that waits to be told to go on, a call for
administration, and everything malformed) is not judged here: the connection goes to the general protocol. So nothing is
refused here, and what is accepted is what llhttp accepts when it is strict and `head_rules` has nothing against; the
general protocol reads heads by the same two.

A caller's next head differs from its last one in the length of the body at most. So heads are known again by their
bytes without that number, and are parsed when they are new.
"""

from collections.abc import Callable
from functools import lru_cache
from re import compile as pattern
from typing import Final, NamedTuple

import httptools
from multidict import CIMultiDict

from .. import head_cache
from . import head_rules
from .request import RequestHead

LONGEST: Final = 8190
"""The longest head that is read here; the general protocol allows as much for one line."""
MOST_HEADERS: Final = 128
HTTP2: Final = b"PRI * HTTP/2"
"""How a connection of HTTP/2 begins, which is no request of ours."""
_REMEMBERED: Final = 256
"""Heads that are known again, the least recently seen forgotten first."""
_REMEMBERED_BYTES: Final = 2048
"""Longer heads are parsed each time, so that what is remembered stays small."""
_TARGET: Final = pattern(rb"(/[-A-Za-z0-9._~!$&'()*+,;=:@/]*)(?:\?([-A-Za-z0-9._~!$&'()*+,;=:@/?%]*))?").fullmatch
_METHODS: Final = ("GET", "HEAD", "POST")
_UNCOMMON: Final = ("Transfer-Encoding", "Content-Encoding", "Upgrade", "Expect")


class FastHead(RequestHead):
    """The head of a common request."""

    __slots__ = ("keep_alive", "length")

    def __init__(self, found: "Found", method: str, path: str, query: str, headers: CIMultiDict[str]) -> None:
        super().__init__(method, path, query, headers)
        self.keep_alive = found.keep_alive
        """Whether the caller wants to ask again."""
        self.length = int(headers.get("Content-Length", "0"))
        """Bytes of the body, if that was not left out."""


class Reading(NamedTuple):
    """A head as one request had it."""

    head: FastHead
    length: int
    """Bytes of the body."""
    most_bytes: int
    """The largest body that is common with this head."""
    before: bytes
    behind: bytes
    """See `head_cache.parted`."""


class HeadCache:
    """Reads heads. One per gateway: what one caller sent is known again when another sends the same."""

    def __init__(self, most_bytes: int, streams_body: Callable[[str], bool]) -> None:
        """`most_bytes`: the largest body that is taken. `streams_body`: see `connection_owner.Application`."""
        self._most_bytes = most_bytes
        self._streams_body = streams_body
        self._known = lru_cache(maxsize=_REMEMBERED)(self._parse)

    def read(self, held: bytes, end: int) -> Reading | None:
        """The head that is `held` up to `end`, with its blank line; None when it is not common."""
        before, length, behind = head_cache.parted(held, end)
        text = b"".join((before, b"0", behind)) if behind else before
        head = self._known(text) if end <= _REMEMBERED_BYTES else self._parse(text) if end <= LONGEST else None
        if head is None:
            return None
        most_bytes = self._most_bytes if head.method == "POST" else 0
        reading = Reading(head, length if behind else head.length, most_bytes, before, behind)
        return reading if reading.length <= most_bytes else None

    def _parse(self, text: bytes) -> FastHead | None:
        head = _read(text)
        return None if head is None or (head.method == "POST" and self._streams_body(head.path)) else head


def is_hopeless(begun: bytes) -> bool:
    """Whether a head that has no blank line yet is whole in llhttp's eyes, or cannot become one.

    Who would be refused, or answered, by the general protocol at once does not wait here for the rest.
    """
    found = _Beginning()
    try:
        httptools.HttpRequestParser(found).feed_data(begun)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return True
    return found.whole or found.headers > MOST_HEADERS or begun.lstrip(b"\r\n").startswith(HTTP2)


class _Beginning:
    """What llhttp finds in the beginning of a head."""

    def __init__(self) -> None:
        self.headers = 0
        self.whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self.headers += 1

    def on_headers_complete(self) -> None:
        """All of them."""
        self.whole = True


def _read(text: bytes) -> FastHead | None:
    """A head, None when it is not common."""
    found = Found()
    try:
        found.feed(text)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    finally:
        found.close()
    target = _TARGET(found.target)
    if target is None or not found.whole or found.version != "1.1" or len(found.pairs) > MOST_HEADERS:
        return None
    headers = CIMultiDict(found.pairs)
    head = FastHead(found, found.method, target[1].decode(), (target[2] or b"").decode(), headers)
    if any(name in headers for name in _UNCOMMON) or head_rules.broken(headers, http10=False) is not None:
        return None
    return head if head.method in _METHODS else None


class Found:
    """What llhttp finds in a head. To be closed, because the parser knows this object."""

    __deletable__ = ("_parser",)

    def __init__(self) -> None:
        self.target = b""
        self.pairs: list[tuple[str, str]] = []
        self.whole = False
        self.keep_alive = False
        self.method = self.version = ""
        self._parser = httptools.HttpRequestParser(self)

    def feed(self, head: bytes) -> None:
        """Read on in a head, up to and with its blank line and no further. Raises llhttp's errors."""
        self._parser.feed_data(head)

    def close(self) -> None:
        """Let go of the parser."""
        del self._parser

    # What llhttp calls.

    def on_url(self, data: bytes) -> None:
        """The target, or a piece of it."""
        self.target += data

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self.pairs.append((name.decode("ascii"), value.strip(b" \t").decode("utf-8", "surrogateescape")))

    def on_headers_complete(self) -> None:
        """Only now llhttp knows: once a request without a body is whole, it has forgotten."""
        self.whole = True
        self.method = self._parser.get_method().decode()
        self.version = self._parser.get_http_version()
        self.keep_alive = self._parser.should_keep_alive()
