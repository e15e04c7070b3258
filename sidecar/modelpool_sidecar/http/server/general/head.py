"""The heads that are not common: parsed by llhttp as they come, understood or refused. Sans I/O.

As much as can be known of a head is known even where it is refused, because the refusal goes out in the words of the
API whose path was asked for.
"""

from re import compile as pattern
from typing import Final
from urllib.parse import unquote, urlsplit

import httptools
from multidict import CIMultiDict

from ... import head_cache
from ...errors import BadRequestError
from .. import head_rules
from ..request import RequestHead
from ..request_parser import HTTP2, LONGEST, MOST_HEADERS, Found

_MOST_BYTES: Final = 64 * 1024
"""Of a whole head; a line of it may have `LONGEST`."""
_START: Final = pattern(rb"([A-Z]{1,20}) ([!-~\x80-\xff]{1,8190})(?: HTTP/([0-9]\.[0-9]))?").match
_SPOKEN: Final = ("1.0", "1.1")


class GeneralHead:
    """One head, whole or as far as it goes."""

    __slots__ = ("chunked", "coding", "fault", "head", "http10", "keep_alive", "length", "waits")

    def __init__(self, head: RequestHead, *, http10: bool, fault: BadRequestError | None) -> None:
        self.head = head
        self.http10 = http10
        """Whether the caller speaks HTTP/1.0."""
        self.fault = fault
        """Why it is refused, if it is."""
        self.keep_alive = False
        """Whether the caller wants to ask again."""
        self.waits = False
        """Whether it sends its body only when told to."""
        self.length = 0
        """Bytes of the body as announced."""
        self.chunked = False
        """Whether the body comes in chunks instead."""
        self.coding = ""
        """How it is compressed, one of `head_rules.CODINGS`, or empty."""

    @property
    def bodiless(self) -> bool:
        """Whether the answer has no body."""
        return self.head.method == "HEAD"


class HeadReader:
    """Reads one head after another. What it is given begins where a head may, and grows until the head is whole."""

    __slots__ = ("_fed", "_found")

    def __init__(self) -> None:
        self._found: Found | None = None
        self._fed = 0

    def read(self, held: bytes) -> tuple[GeneralHead, int] | None:
        """The head and where it ends; None until it is whole. One with a `fault` may end anywhere."""
        found = self._found
        if found is None:
            found, self._fed = Found(), 0
            self._found = found
        end = held.find(head_cache.END, max(0, self._fed - len(head_cache.END) + 1)) + len(head_cache.END)
        whole = end >= len(head_cache.END)
        to = end if whole else len(held)
        try:
            if held.startswith(HTTP2):
                raise BadRequestError("this gateway speaks HTTP/1.1, and not HTTP/2", status=505)
            if to > _MOST_BYTES or _longest(held, to) > LONGEST:
                raise BadRequestError("the request's head is too large")
            _feed(found, held[self._fed : to], held)
            self._fed = to
            if len(found.pairs) > MOST_HEADERS:
                raise BadRequestError("the request's head is too large")
            if not whole:
                return None
            asked = _understood(found)
        except BadRequestError as wrong:
            asked = refused(held, wrong)
        self.forget()
        return asked, end

    @property
    def begins(self) -> bool:
        """Whether nothing has been read of a head."""
        return self._found is None

    def forget(self) -> None:
        """What was begun does not go on."""
        if self._found is not None:
            self._found.close()
            self._found = None


def refused(held: bytes, wrong: BadRequestError | None = None) -> GeneralHead:
    """What is known of a head that is malformed, or not whole."""
    start = _START(held)
    target = start[2].partition(b"?")[0] if start else b""
    path = unquote(target.decode("utf-8", "surrogateescape")) if target.startswith(b"/") else ""
    head = RequestHead(start[1].decode() if start else "", path, "", CIMultiDict())
    return GeneralHead(head, http10=start is not None and start[3] == b"1.0", fault=wrong)


def _longest(held: bytes, to: int) -> int:
    """Bytes of the longest line, looked for only in heads that are long."""
    return max(map(len, held[:to].split(b"\r\n"))) if to > LONGEST else 0


def _feed(found: Found, data: bytes, held: bytes) -> None:
    try:
        found.feed(data)
    except httptools.HttpParserUpgrade:
        pass  # whoever names another protocol is answered in this one: RFC 9110, 7.8
    except httptools.HttpParserError as error:
        start = _START(held)
        if start and start[3] is not None and start[3].decode() not in _SPOKEN:
            raise BadRequestError("this gateway speaks HTTP/1.1 and HTTP/1.0", status=505) from error
        raise BadRequestError(f"the request is malformed: {error}") from error


def _understood(found: Found) -> GeneralHead:
    if not found.whole or len(found.pairs) > MOST_HEADERS:
        raise BadRequestError("the request's head is too large" if found.whole else "the request is malformed")
    headers = CIMultiDict(found.pairs)
    http10 = found.version == "1.0"
    target = found.target.decode("utf-8", "surrogateescape")
    fault = head_rules.broken(headers, http10=http10)
    if not target.startswith("/") and target != "*":
        parts = _parts(target)
        if parts is None:
            fault, target = fault or BadRequestError("the request's target is no path"), ""
        else:
            headers["Host"], target = parts  # RFC 9112, 3.2.2
    path, _, query = target.partition("#")[0].partition("?")
    if "#" in target:
        fault = fault or BadRequestError("the request's target has a fragment")
    asked = GeneralHead(RequestHead(found.method, unquote(path), query, headers), http10=http10, fault=fault)
    if fault is None:
        if found.version not in _SPOKEN:
            asked.fault = BadRequestError("this gateway speaks HTTP/1.1 and HTTP/1.0", status=505)
            return asked
        asked.keep_alive = found.keep_alive
        asked.waits = not http10 and head_rules.waits(headers)
        asked.chunked = "Transfer-Encoding" in headers
        asked.length = int(headers.get("Content-Length", "0"))
        asked.coding = head_rules.coded(headers)
    return asked


def _parts(target: str) -> tuple[str, str] | None:
    """The host and the path of a target in absolute form."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return None
    return parts.netloc.rpartition("@")[2], (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
