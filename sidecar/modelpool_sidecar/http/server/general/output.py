"""What answers are written to: the connection that was lent, and how it ends.

Where more may come of a request that nobody reads, the connection lingers after its last answer.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from ..lingering import Lingering
from ..response_writer import CallerOutput, Source
from .body import IncomingBody


class GeneralOutput:
    """Implements `response_writer.CallerOutput`."""

    write: Callable[[bytes], None]
    """See `response_writer.CallerOutput`. The one of the connection that was lent."""

    def __init__(self) -> None:
        self._body: IncomingBody | None = None
        """What belongs to the request that is being answered."""
        self._held = b""
        """What belongs to no request that was taken."""
        self._leaving = False
        self._refused = False
        """Whether what comes next cannot be read, because what came was malformed or late."""
        self._lost = False
        self._lingering: Lingering | None = None

    def use(self, transport: asyncio.Transport) -> None:
        """Write to this from now on."""
        self._transport = transport
        self._line = cast("CallerOutput", transport.get_protocol())
        self.write = self._line.write

    @property
    def over(self) -> bool:
        """Whether what comes is of no interest any longer."""
        return self._lost or self._lingering is not None

    # What answers are written with: `response_writer.CallerOutput`.

    def write_both(self, head: bytes, body: bytes) -> None:
        """See `response_writer.CallerOutput`."""
        self._line.write_both(head, body)

    def draws_from(self, source: Source | None) -> None:
        """See `response_writer.CallerOutput`."""
        self._line.draws_from(source)

    def break_off(self) -> None:
        """See `response_writer.CallerOutput`."""
        self._line.break_off()

    def close(self) -> None:
        """See `response_writer.CallerOutput`.

        What comes still is thrown away for a while, or the answer might not arrive.
        """
        if self.over:
            return
        if self._refused or self._held or (self._body is not None and not self._body.ended):
            self._lingering = Lingering()
            self._lingering.connection_made(self._transport)
        else:
            self._transport.close()

    @property
    def closing(self) -> bool:
        """See `response_writer.CallerOutput`."""
        return self._leaving or self._line.closing or (self._body is not None and not self._body.ended)

    @property
    def ending(self) -> bool:
        """See `response_writer.CallerOutput`."""
        return self._line.ending

    @property
    def why(self) -> str:
        """See `response_writer.CallerOutput`."""
        return self._line.why

    @property
    def full(self) -> bool:
        """See `response_writer.CallerOutput`."""
        return self._line.full

    # What the event loop says: asyncio.Protocol.

    def eof_received(self) -> None:
        """See asyncio.Protocol. The transport closes itself."""

    def pause_writing(self) -> None:
        """See asyncio.Protocol. The connection that was lent holds the engine back."""

    def lose(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self._lost = True
        if self._lingering is not None:
            self._lingering.connection_lost(exc)
