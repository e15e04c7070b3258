"""The end of a connection whose caller may still be sending.

Closed at once, its operating system would throw away our answer for the bytes that nobody reads. So our side is closed
alone, and what comes is thrown away for a while: RFC 9112, 9.6.
"""

import asyncio
from typing import Final, cast

LINGER_SECONDS: Final = 5.0


class Lingering:
    """What a connection is lent to that has been answered for the last time. An asyncio.Protocol by its methods."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        sending = cast("asyncio.Transport", transport)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(LINGER_SECONDS, sending.close)
        if sending.can_write_eof() and not sending.is_closing():
            sending.write_eof()
            sending.resume_reading()
        else:
            sending.close()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""

    def eof_received(self) -> None:
        """See asyncio.Protocol. The transport closes itself."""

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._timer.cancel()
