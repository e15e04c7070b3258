"""A body as it comes: pieces in from the connection, pieces out to whoever reads them.

What is not read is held up to a bound; then the caller is made to wait (`Taps`). Nothing here looks at a clock: its
connection says when the body is late.
"""

from typing import Final, Protocol

from ...errors import BadRequestError
from ...inline_task import Waker
from .framing import Chunked, Counted

AHEAD_BYTES: Final = 64 * 1024
"""How much is held of a body that nobody reads, give or take what comes at once."""


class Taps(Protocol):
    """What a body needs of its connection."""

    def go_on(self) -> None:
        """Tell the caller to send the body, if it waits for that."""
        ...

    def taken(self) -> None:
        """Hear that what was held has been taken."""
        ...


class IncomingBody:
    """One body on its way in."""

    __slots__ = ("_held", "_taps", "ended", "fault", "framing", "received", "waker")

    def __init__(self, framing: Counted | Chunked, taps: Taps, waker: Waker) -> None:
        self._held = bytearray()
        self._taps = taps
        self.waker = waker
        """Rings when there is more, or will not be."""
        self.framing: Counted | Chunked = framing
        self.received = 0
        """Bytes of the body so far, as sent."""
        self.ended = False
        """Whether it is here to its end."""
        self.fault: Exception | None = None
        """Why it will not come to its end."""

    @property
    def coming(self) -> bool:
        """Whether more of it is expected."""
        return not self.ended and self.fault is None

    @property
    def full(self) -> bool:
        """Whether as much is held as should be."""
        return len(self._held) >= AHEAD_BYTES

    def feed(self, data: bytes) -> bytes:
        """Take what has come; what comes behind the body is returned."""
        framing = self.framing
        rest = b""
        try:
            if isinstance(framing, Counted):
                part, rest = framing.feed(data)
            else:
                part, rest = framing.feed(data)
        except BadRequestError as wrong:
            self.fault = wrong
            return b""
        self._held += part
        self.received += len(part)
        self.ended = framing.ended
        return rest

    def fail(self, fault: Exception) -> None:
        """Give up."""
        self.fault = fault

    def take(self) -> bytes:
        """All that is held."""
        held, self._held = bytes(self._held), bytearray()
        return held

    async def more(self) -> bytes:
        """Wait for the next piece; nothing at the end. Raises what the body failed with."""
        self._taps.go_on()
        while not self._held:
            if self.fault is not None:
                raise self.fault
            if self.ended:
                return b""
            await self.waker
        piece = self.take()
        self._taps.taken()
        return piece
