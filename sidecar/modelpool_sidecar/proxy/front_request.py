"""What a caller asks, out of the bytes of its connection. Sans I/O: `front_head` reads heads, this finds the bodies."""

from collections.abc import AsyncIterator
from typing import Final

from .front_head import LONGEST, CommonHead, Heads
from .visitor import Head
from .way_back import WayBack

_END: Final = b"\r\n\r\n"


class Requests:
    """The common requests of one connection, out of its bytes."""

    __slots__ = ("_head", "_heads", "_missing", "_parts", "held", "uncommon", "waits")

    def __init__(self, heads: Heads) -> None:
        self._heads = heads
        self._head: CommonHead | None = None
        self._parts: list[bytes] = []
        self._missing = 0
        self.held = b""
        """What has come and belongs to no request that was taken."""
        self.uncommon = False
        """Whether what is held is for the other door."""
        self.waits = False
        """Whether the caller sends the body that is missing only when told to; for its reader to set back."""

    @property
    def reading(self) -> CommonHead | None:
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

    def take(self) -> tuple[CommonHead, bytes] | None:
        """The next request with its body, if it is whole; else look at `uncommon`."""
        head = self._head
        if head is not None:
            if self._missing:
                return None
            self._head = None
            body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._parts = []
            return head, body
        held = self.held
        end = held.find(_END) + len(_END)
        if end < len(_END):
            self.uncommon = len(held) > LONGEST or b"\n\n" in held
            return None
        found = self._heads.read(held, end)
        if found is None:
            self.uncommon = True
            return None
        head, length = found
        here = len(held) - end
        if here == length:
            self.held = b""
            return head, held[end:]
        if here > length:
            self.held = held[end + length :]
            return head, held[end : end + length]
        self._head, self._missing, self.held = head, length - here, b""
        self.waits = head.waits
        if here:
            self._parts.append(held[end:])
        return None


class FrontVisitor:
    """Implements `visitor.Visitor`: a request that is here with its body."""

    __slots__ = ("back", "body", "head")

    def __init__(self, head: Head, body: bytes, back: WayBack) -> None:
        self.head = head
        self.body = body
        self.back = back

    async def read(self) -> bytes:
        """See `visitor.Visitor`."""
        return self.body

    def pieces(self) -> AsyncIterator[bytes] | None:
        """See `visitor.Visitor`."""
        return _once(self.body) if self.body else None


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
