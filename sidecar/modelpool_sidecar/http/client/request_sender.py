"""A request to an engine: as bytes, and over one connection until the head of its answer is here, or none comes.

`Origin` is what a connection belongs to: two base URLs that differ in their path alone share connections. What is
common to asking and to reading the answer is here, too: `connection` goes on from it.
"""

import asyncio
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from .. import chunked, headers
from ..inline_task import Waker
from ..urls import shown
from .errors import ClosedBeforeFirstByte, described
from .read_timeout import ReadTimeout
from .response import ResponseHead
from .response_parser import ResponseParser

if TYPE_CHECKING:
    from .connection import ClientConnection

_JOINED_BYTES: Final = 64 * 1024
"""A body up to this size is sent in one piece with its head."""
_STALE_SECONDS: Final = 0.1
"""A kept connection that had been closed before the request says so within a round trip; what ends later had it."""


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


class PoolOwner(Protocol):
    """Who keeps connections between answers: told when one can be used again, and when one is closed."""

    def returned(self, connection: "ClientConnection") -> None: ...  # noqa: D102
    def fell_silent(self) -> None: ...  # noqa: D102
    def gone(self, connection: "ClientConnection") -> None: ...  # noqa: D102


class RequestSender:
    """One connection, as far as its owner sees it. It has its transport from `connection_made` on."""

    _transport: asyncio.Transport
    head: ResponseHead

    def __init__(self, owner: PoolOwner, place: Origin, read_timeout: float) -> None:
        """`read_timeout` bounds the silence of a busy engine, in seconds."""
        self.place = place
        self.lost = False
        self.behalf: object = None
        """Whose request it is busy with."""
        self._silent = False
        self._loop = asyncio.get_running_loop()
        self._owner = owner
        self._read_timeout = read_timeout
        self._answer = ResponseParser()
        self._silence = ReadTimeout(self._loop, read_timeout, self._fell_silent)
        self._busy = False
        self._full = False
        self._enough = False
        self._lingers = False
        """Whether the engine is only given time to end a body of which nobody needs more."""
        self._waker = Waker(self._loop)
        self._error: BaseException | None = None

    # What its owner does.

    async def ask(
        self, head: bytes, body: bytes | AsyncIterable[bytes] | None, behalf: object, *, only_head: bool
    ) -> None:
        """Send a request and wait for the head of its answer. Raises ClosedBeforeFirstByte; it is closed then."""
        if self.lost:
            raise ClosedBeforeFirstByte("the engine closed the connection")
        answer = self._answer
        answer.expect(only_head=only_head)
        self._busy, self._enough = True, False
        self.behalf = behalf
        self._silence.begin()
        try:
            if body is None:
                self._transport.write(head)
            elif not isinstance(body, bytes):
                self._transport.write(head)
                await self._send(body)
            elif len(body) > _JOINED_BYTES:
                self._transport.writelines((head, body))
            else:
                self._transport.write(head + body)
            while answer.head is None and self._error is None:
                await self._waker
            if self._error is not None:
                raise ClosedBeforeFirstByte(described(self._error)) from self._error
        except BaseException:
            self.abort()
            raise
        assert answer.head is not None
        self.head = answer.head
        self._silence.answering = True

    async def _send(self, body: AsyncIterable[bytes]) -> None:
        """Send a body piece by piece, until it ends or the engine has said all without waiting for it."""
        async for piece in body:
            if piece:
                self._transport.write(chunked.framed(piece))
                self._silence.begin()
            while self._full and not self._settled:
                await self._waker
            if self._settled:
                self._answer.keep_alive = False
                return
        self._transport.write(chunked.LAST)

    @property
    def idle_seconds(self) -> float:
        """Since anything was heard of the engine, or said to it."""
        return self._loop.time() - self._silence.heard

    @property
    def stale(self) -> bool:
        """Whether it ended at once and without having said anything: its engine had closed it before the request came.

        To be asked in the moment in which it ended.
        """
        if self._error is None or self._silent or not self._answer.untouched:
            return False
        return self._loop.time() - self._silence.heard < _STALE_SECONDS

    def quiet(self, now: float) -> float:
        """For how many seconds nothing has come of the answer that it waits for; 0 when it waits for none."""
        waited_for = self._busy and not self._lingers and not self._answer.ended
        return self._silence.lasts(now) if waited_for else 0.0

    def give_up(self, behalf: object, why: str) -> None:
        """Break the answer that somebody waits for: there is a better place. To be called in no task."""
        if self.behalf is behalf and self._busy and not self._answer.ended:
            self._silent = True
            self._fail(TimeoutError(why))

    @property
    def _settled(self) -> bool:
        """Whether the answer's head is here, or will never be."""
        return self._answer.head is not None or self._error is not None

    def abort(self) -> None:
        """Close the connection at once, so that the engine stops generating."""
        self._busy = False
        self.behalf = None
        if not self.lost:
            self._transport.abort()

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self._transport.abort()
        self._waker.wake()

    def _fell_silent(self) -> None:
        if self._busy and not self._answer.ended:
            self._silent = True
            self._owner.fell_silent()
            self._fail(TimeoutError(f"silent for {self._read_timeout:g} s"))


_KNOWN_STARTS: Final = 64
"""Request lines that each base remembers."""
_PORTS: Final = {"http": 80, "https": 443}
