"""What a caller asks, out of the bytes of its connection.

Sans I/O: `request_parser` reads heads, this finds the bodies.
"""

from collections.abc import AsyncIterator

from .. import head_cache
from .general import head
from .request import RequestHead
from .request_parser import LONGEST, FastHead, HeadCache, Reading, is_hopeless
from .response_writer import CallerOutput, Clock, Http11Writer, ResponseWriter


class RequestReader:
    """The common requests of one connection, out of its bytes."""

    __slots__ = ("_heads", "_last", "_missing", "_parts", "announced", "held", "reading", "received", "uncommon")

    def __init__(self, heads: HeadCache) -> None:
        self._heads = heads
        self._last: Reading | None = None
        self._parts = bytearray()
        self._missing = 0
        self.held = b""
        """What has come and belongs to no request that was taken."""
        self.reading: FastHead | None = None
        """The head of a request whose body is still coming."""
        self.uncommon = False
        """Whether what is held is for the general protocol."""
        self.announced = 0
        """Bytes of that body when it is whole."""
        self.received = 0
        """Bytes of that body so far."""

    def feed(self, data: bytes) -> None:
        """Keep what has come."""
        if not self._missing:
            self.held = self.held + data if self.held else data
        else:
            missing = self._missing
            part = data[:missing]
            self._parts += part
            self.received += len(part)
            self._missing = missing - len(part)
            self.held = data[missing:]

    def take(self) -> tuple[FastHead, bytes] | None:
        """The next request with its body, if it is whole; else look at `uncommon`."""
        if self.reading is not None:
            return self._rest()
        held = self.held
        last = self._last
        if last is not None and (again := head_cache.again(held, last.before, last.behind)) is not None:
            length, end = again
            if length > last.most_bytes:
                self.uncommon = True
                return None
        else:
            end = held.find(head_cache.END) + len(head_cache.END)
            if end < len(head_cache.END):
                self.uncommon = len(held) > LONGEST or (held != b"" and is_hopeless(held))
                return None
            last = self._heads.read(held, end)
            if last is None:
                self.uncommon = True
                return None
            self._last = last if last.behind else None
            length = last.length
        return self._begun(last.head, length, end)

    def _begun(self, head: FastHead, length: int, end: int) -> tuple[FastHead, bytes] | None:
        """Go on behind a head."""
        held = self.held
        ends = end + length
        if len(held) >= ends:
            self.held = held[ends:]
            return head, held[end:ends]
        self.reading, self._missing, self.held = head, ends - len(held), b""
        self._parts += held[end:]
        self.announced, self.received = length, len(held) - end
        return None

    def _rest(self) -> tuple[FastHead, bytes] | None:
        head = self.reading
        if self._missing or head is None:
            return None
        self.reading = None
        parts, self._parts = self._parts, bytearray()
        return head, bytes(parts)


class WholeRequest(Http11Writer):
    """Implements `request.ServerRequest`: a request that is here with its body, and writes its own answer."""

    def __init__(self, line: CallerOutput, clock: Clock, head: FastHead, body: bytes) -> None:
        self._line = line
        self._clock = clock
        self._bodiless = head.method == "HEAD"
        self.keep_alive = head.keep_alive
        self.head: RequestHead = head
        self.body = body

    @property
    def writer(self) -> ResponseWriter:
        """See `request.ServerRequest`."""
        return self

    async def read(self) -> bytes:
        """See `request.ServerRequest`."""
        return self.body

    def pieces(self) -> AsyncIterator[bytes] | None:
        """See `request.ServerRequest`."""
        return Once(self.body) if self.body else None


class RefusedRequest:
    """Implements `request.ServerRequest`: a request whose body does not come, or has no room."""

    body = None

    def __init__(self, head: RequestHead, writer: ResponseWriter, wrong: Exception) -> None:
        self.head = head
        self.writer = writer
        self._wrong = wrong

    async def read(self) -> bytes:
        """See `request.ServerRequest`."""
        raise self._wrong

    def pieces(self) -> AsyncIterator[bytes] | None:
        """See `request.ServerRequest`."""
        return None


def unheard(line: CallerOutput, clock: Clock, held: bytes, wrong: Exception) -> RefusedRequest:
    """Who began a head, of which this is `held`, and did not go on."""
    asked = head.refused(held)
    writer = Http11Writer(line, clock, http10=asked.http10, bodiless=asked.bodiless, keep_alive=False)
    return RefusedRequest(asked.head, writer, wrong)


class Once:
    """A body in one piece. A class, because the compiler knows no asynchronous generators."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body

    def __aiter__(self) -> "Once":
        return self

    async def __anext__(self) -> bytes:
        body, self._body = self._body, None
        if body is None:
            raise StopAsyncIteration
        return body
