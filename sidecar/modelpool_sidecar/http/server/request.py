"""The seam to callers: who stands at the door, what was asked, and the way back.

Two doors let callers in: `front` reads what nearly all of them send, `aside` reads everything else. Rooms behind the
doors do not know which it was.
"""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Protocol

from multidict import MultiMapping

from .response_writer import ResponseWriter

if TYPE_CHECKING:
    from ...serving.resolved_head import ResolvedHead


class TooLargeError(Exception):
    """The body is larger than the gateway takes. The message is for the caller."""


class TooLateError(Exception):
    """The body does not come. The message is for the caller."""


class NoRoomError(Exception):
    """The body has no room beside those of others. The message is for the caller."""

    def __init__(self) -> None:
        super().__init__("too many large request bodies are being read or answered")


class RequestHead:
    """What a request says before its body. Read-only, because it may be that of many requests."""

    __slots__ = ("headers", "method", "opening", "path", "query")

    def __init__(self, method: str, path: str, query: str, headers: MultiMapping[str]) -> None:
        self.method = method
        """As sent, in upper case."""
        self.path = path
        """Decoded, without the query."""
        self.query = query
        """As sent, without the question mark."""
        self.headers = headers
        """Case-insensitive, repeated ones repeated, in order."""
        self.opening: ResolvedHead | None = None
        """What the gateway has made of it."""


class ServerRequest(Protocol):
    """One request, from its head on."""

    @property
    def head(self) -> RequestHead:
        """What was asked."""
        ...

    @property
    def back(self) -> ResponseWriter:
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
