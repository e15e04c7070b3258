"""The seam to callers: who stands at the door, what was asked, and the way back.

Two doors let callers in: `front` reads what nearly all of them send, `aside` has aiohttp read everything else. Rooms
behind the doors do not know which it was.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from multidict import MultiMapping

from .way_back import WayBack


class TooLargeError(Exception):
    """The body is larger than the gateway takes. The message is for the caller."""


class Visitor(Protocol):
    """One request, from its head on."""

    @property
    def method(self) -> str:
        """As sent, in upper case."""
        ...

    @property
    def path(self) -> str:
        """Decoded, without the query."""
        ...

    @property
    def query(self) -> str:
        """As sent, without the question mark."""
        ...

    @property
    def headers(self) -> MultiMapping[str]:
        """Case-insensitive, repeated ones repeated, in order."""
        ...

    @property
    def back(self) -> WayBack:
        """Where the answer goes."""
        ...

    async def read(self) -> bytes:
        """The whole body. Raises TooLargeError."""
        ...

    def pieces(self) -> AsyncIterator[bytes] | None:
        """The body as it comes, however large; None when there is none. Instead of `read`."""
        ...
