"""The seam to engines: what relaying asks of an HTTP client, and how a client says what went wrong.

    UpstreamError
    ├── ConnectFailed           nothing was sent: any other target may be tried
    │   └── NobodyThere         and nobody listens there
    ├── OutOfResources          nothing was sent, because this machine has no more to connect with: no engine's fault
    ├── ClosedBeforeFirstByte   the engine died or hung before it answered: generation is not committed, try another
    └── BrokenMidStream         bytes of the answer have been seen: the caller must see the break

Knows no routing, no dialect, and no HTTP library.
"""

from collections.abc import AsyncIterable
from typing import Protocol

from .. import headers
from ..headers import Headers


def told(error: BaseException) -> str:
    """An error as one line of a log."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class ClientError(Exception):
    """The engine did not give a whole answer. The message is for the log, not for the caller."""


class ConnectFailed(ClientError):  # noqa: N818 -- the family is named for what happened
    """No connection came about, so nothing was sent."""


class NobodyThere(ConnectFailed):
    """The connection was refused, or there is no way to the address."""


class OutOfResources(ClientError):  # noqa: N818
    """Descriptors, ports or memory of this machine are used up. It says nothing about the engine."""


class ClosedBeforeFirstByte(ClientError):  # noqa: N818
    """The connection ended, or stayed silent too long, before the answer began."""


class BrokenMidStream(ClientError):  # noqa: N818
    """The answer had begun and ended too early."""


class Enough(Exception):  # noqa: N818 -- no error
    """Raised by a Receiver that needs no more: the body counts as poured, whatever else comes of it."""


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


class ResponseHead:
    """The head of an answer. Read-only, because it may be that of many answers."""

    __slots__ = ("_lines", "headers", "kind", "status")

    def __init__(self, status: int, given: Headers) -> None:
        self.status = status
        """The HTTP status."""
        self.headers = given
        """In order, repeated ones repeated, without `headers.OWN`."""
        self.kind = (headers.first(given, "Content-Type") or "").partition(";")[0].strip().lower()
        """The type of the body."""
        self._lines: bytes | None = None

    @property
    def lines(self) -> bytes:
        """What of the headers is for the caller, as bytes."""
        if self._lines is None:
            self._lines = headers.lines(headers.to_caller(self.headers))
        return self._lines


class Receiver:
    """What a body is poured into. A class and no protocol: compiled, its method is called without a look-up."""

    def take(self, piece: bytes, framed: bytes | None) -> None:
        """Take a piece of a body, and the bytes that carried it if these are whole chunks of HTTP/1.1."""
        raise NotImplementedError

    def take_chunk(self, chunk: bytes, begin: int) -> None:
        """Take one whole chunk of HTTP/1.1, whose data begins at `begin`."""
        self.take(chunk[begin:-2], chunk)

    def finished(self) -> bool:
        """Whether what was taken ends as such a body ends. Asked when no more has come for a while."""
        return False


class ClientResponse(Protocol):
    """An answer whose head is here and whose body may be coming."""

    @property
    def head(self) -> ResponseHead:
        """Status and headers."""
        ...

    async def read(self, limit: int) -> bytes:
        """The body when it is whole, or what has come of it when that is more than `limit` bytes: see `whole`.

        Raises BrokenMidStream.
        """
        ...

    @property
    def whole(self) -> bool:
        """Whether all of the body has come."""
        ...

    @property
    def framed(self) -> bool:
        """Whether the head says where the body ends. Else its connection's end ends it, and may have come too early."""
        ...

    def taken(self) -> bytes:
        """What has come of the body and was not read yet."""
        ...

    async def pour(self, into: Receiver) -> None:
        """Give the body away, piece by piece, in the moment it arrives, and return at its end, or at its receiver's.

        Raises BrokenMidStream, and what the receiver raises.
        """
        ...

    def pause(self) -> None:
        """The body's taker is full: take no more from the engine until `resume`."""
        ...

    def resume(self) -> None:
        """The body's taker has room again."""
        ...

    def release(self) -> None:
        """Give the connection back after the body was read to its end; otherwise the same as `abort`.

        After the receiver had `Enough`, the engine has a moment left to end the body.
        """
        ...

    def abort(self) -> None:
        """Close the connection at once, so that the engine stops generating."""
        ...


class Client(Protocol):
    """An HTTP client, shared by all requests."""

    async def open(self, base_url: str, request: ClientRequest) -> ClientResponse:
        """Send and wait for the head of the answer.

        Raises ConnectFailed, OutOfResources or ClosedBeforeFirstByte.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
