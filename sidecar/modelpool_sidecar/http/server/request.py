"""What whoever answers gets of a request, the same from both kinds of connection."""

from collections.abc import AsyncIterator
from typing import Protocol

from multidict import MultiMapping

from .response_writer import ResponseWriter


class RequestHead:
    """What a request says before its body. Read-only, because it may be that of many requests."""

    __slots__ = ("headers", "method", "path", "query", "resolved")

    def __init__(self, method: str, path: str, query: str, headers: MultiMapping[str]) -> None:
        self.method = method
        """As sent, in upper case."""
        self.path = path
        """Decoded, without the query."""
        self.query = query
        """As sent, without the question mark."""
        self.headers = headers
        """Case-insensitive, repeated ones repeated, in order."""
        self.resolved: object = None
        """What whoever answers has made of it, for the next request with this head."""


class ServerRequest(Protocol):
    """One request, from its head on."""

    @property
    def head(self) -> RequestHead:
        """What was asked."""
        ...

    @property
    def writer(self) -> ResponseWriter:
        """Where the answer goes."""
        ...

    @property
    def body(self) -> bytes | None:
        """The whole body, if it is here; else `read` it."""
        ...

    async def read(self) -> bytes:
        """The whole body. Raises TooLargeError, TooLateError, NoRoomError, and BadRequestError for what is no body."""
        ...

    def pieces(self) -> AsyncIterator[bytes] | None:
        """The body as it comes, however large; None when there is none. Instead of `read`."""
        ...
