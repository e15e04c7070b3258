"""Where an answer goes: to whoever takes it, or as HTTP/1.1 to a caller's connection.

Both kinds of connections use it, so an answer is the same whichever a request came through. Everything here is one
step: nothing waits, a caller that reads slowly holds back the engine instead (`CallerOutput.draws_from`).
"""

import time
from collections.abc import Callable
from email.utils import formatdate
from functools import cache
from http import HTTPStatus
from typing import Final, Protocol

from .. import chunked

_BODILESS: Final = frozenset({204, 304})
_JOINED_BYTES: Final = 64 * 1024


class Source(Protocol):
    """What an answer is drawn from."""

    def pause(self) -> None: ...  # noqa: D102

    def resume(self) -> None: ...  # noqa: D102


class CallerOutput(Protocol):
    """A caller's connection."""

    def write(self, data: bytes) -> None:
        """Send, or forget it when the caller has left."""
        ...

    def write_both(self, head: bytes, body: bytes) -> None:
        """The same in two pieces, for bodies that would take long to be copied."""
        ...

    def draws_from(self, source: Source | None) -> None:
        """Pause this source while the caller has not read what was sent."""
        ...

    def close(self) -> None:
        """Close when all is sent."""
        ...

    def break_off(self) -> None:
        """Close when all is sent, with an error: for bodies that the connection's end delimits."""
        ...

    @property
    def closing(self) -> bool:
        """Whether it carries no further request."""
        ...

    @property
    def ending(self) -> bool:
        """Whether the answer that is being given must end now: its task is cancelled."""
        ...

    @property
    def why(self) -> str:
        """Why an answer ended before it was whole."""
        ...

    @property
    def full(self) -> bool:
        """Whether the caller has not read what was sent."""
        ...


class Clock:
    """The Date header, made once per second."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second = 0
        self._line = b""

    def date(self) -> bytes:
        """The header's line, now."""
        second = int(time.time())
        if second != self._second:
            self._second, self._line = second, b"Date: %b\r\n" % formatdate(second, usegmt=True).encode()
        return self._line


class ResponseWriter:
    """Takes one answer: `whole`, or `begin`, `write` and `end`, or `cut_off` where it broke.

    A class and no protocol: compiled, its methods are called without a look-up.
    """

    begun = False
    """Whether the answer's status cannot be changed any more."""
    keep_alive = False
    """Whether the caller may ask again behind this answer."""

    def whole(self, status: int, headers: bytes, body: bytes) -> None:
        """Send a complete answer. `headers`: as `headers.lines` writes them."""
        raise NotImplementedError

    def begin(self, status: int, headers: bytes) -> None:
        """Begin an answer of unknown length. Its head goes out with the first piece, or at the end."""
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """Send a piece that is not empty."""
        raise NotImplementedError

    def chunk_writer(self) -> Callable[[bytes], None] | None:
        """What sends chunks of HTTP/1.1 as they are; None before the head is out, and where pieces are no chunks."""
        return None

    def end(self) -> None:
        """All was sent."""
        raise NotImplementedError

    def cut_off(self) -> None:
        """Leave the answer without a proper end, so that the caller sees that it broke."""
        raise NotImplementedError

    def draws_from(self, source: Source | None) -> None:
        """Pause this source while the caller has not read what was sent."""

    @property
    def ending(self) -> bool:
        """Whether the answer must end now: its task is cancelled."""
        return False

    @property
    def why(self) -> str:
        """Why an answer ended before it was whole."""
        return ""


class Http11Writer(ResponseWriter):
    """Writes one answer as HTTP/1.1 to a caller's connection."""

    _http10 = False
    _bodiless = False
    _chunked = False
    _delimited = False
    """Whether the body's end is the connection's end."""
    _head = b""

    def __init__(self, line: CallerOutput, clock: Clock, *, http10: bool, bodiless: bool, keep_alive: bool) -> None:
        """`http10`: the caller speaks HTTP/1.0. `bodiless`: it asked with HEAD. `keep_alive`: it wants to ask again."""
        self._line = line
        self._clock = clock
        self._http10 = http10
        self._bodiless = bodiless
        self.keep_alive = keep_alive

    def whole(self, status: int, headers: bytes, body: bytes) -> None:
        """See `ResponseWriter`."""
        bodiless = status in _BODILESS
        head = self._begin(status, headers, b"" if bodiless else b"Content-Length: %d\r\n" % len(body))
        if bodiless or self._bodiless:
            self._line.write(head)
        elif len(body) > _JOINED_BYTES:
            self._line.write_both(head, body)
        else:
            self._line.write(head + body)
        if not self.keep_alive:
            self._line.close()

    def begin(self, status: int, headers: bytes) -> None:
        """See `ResponseWriter`."""
        self._bodiless = self._bodiless or status in _BODILESS
        self._chunked = not self._http10 and not self._bodiless
        self._delimited = not self._chunked and not self._bodiless
        if self._delimited:
            self.keep_alive = False
        self._head = self._begin(status, headers, b"Transfer-Encoding: chunked\r\n" if self._chunked else b"")

    def write(self, data: bytes) -> None:
        """See `ResponseWriter`."""
        if self._chunked:
            data = chunked.framed(data)
        sent = self._head if self._bodiless else self._head + data
        self._head = b""
        self._line.write(sent)

    def chunk_writer(self) -> Callable[[bytes], None] | None:
        """See `ResponseWriter`."""
        return self._line.write if self._chunked and not self._head else None

    def end(self) -> None:
        """See `ResponseWriter`."""
        last = self._head + chunked.LAST if self._chunked else self._head
        if last:
            self._line.write(last)
        if not self.keep_alive or self._line.closing:
            self.keep_alive = False
            self._line.close()

    def cut_off(self) -> None:
        """See `ResponseWriter`."""
        if self._head:
            self._line.write(self._head)
        self.keep_alive = False
        if self._delimited:
            self._line.break_off()
        else:
            self._line.close()

    def draws_from(self, source: Source | None) -> None:
        """See `CallerOutput`."""
        self._line.draws_from(source)

    @property
    def ending(self) -> bool:
        """See `CallerOutput`."""
        return self._line.ending

    @property
    def why(self) -> str:
        """See `CallerOutput`."""
        return self._line.why

    def _begin(self, status: int, headers: bytes, framing: bytes) -> bytes:
        self.begun = True
        self.keep_alive = keep_alive = self.keep_alive and not self._line.closing
        keeps = b""
        if not keep_alive:
            keeps = b"Connection: close\r\n"
        elif self._http10:
            keeps = b"Connection: keep-alive\r\n"
        return b"".join((_status_line(status), headers, self._clock.date(), framing, keeps, b"\r\n"))


@cache
def _status_line(status: int) -> bytes:
    """With our own version, whatever the caller's is: RFC 9110, 6.2."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()
