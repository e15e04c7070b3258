"""A connection is handed to the server once its first request's head is whole: who sends none in time is shown out.

aiohttp limits how long an idle connection is kept after a request, and not how long the first one may take to come;
without this a caller could hold connections open by sending a byte now and then.
"""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from aiohttp import web

HEAD_SECONDS: Final = 30.0
"""For the first request's line and headers."""
HEAD_BYTES: Final = 64 * 1024
"""What may be held before the server, which has limits of its own, looks at it."""
_TOO_LATE: Final = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class HeadFirst(asyncio.Protocol):
    """Holds what comes until a blank line ends the head, then leaves the connection to the server's own protocol."""

    def __init__(self, server: Callable[[], asyncio.Protocol], seconds: float) -> None:
        self._server = server
        self._seconds = seconds
        self._held = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self._deadline = asyncio.get_running_loop().call_later(self._seconds, self._show_out)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        # The blank line may have begun with the bytes before.
        begun = max(0, len(self._held) - 3)
        self._held += data
        if b"\n\r\n" in self._held[begun:] or b"\n\n" in self._held[begun:] or len(self._held) > HEAD_BYTES:
            self._deadline.cancel()
            protocol = self._server()
            self._transport.set_protocol(protocol)
            protocol.connection_made(self._transport)
            protocol.data_received(bytes(self._held))

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._deadline.cancel()

    def _show_out(self) -> None:
        self._transport.write(_TOO_LATE)
        self._transport.close()


class PatientSite(web.SockSite):
    """A listening socket whose connections begin as `HeadFirst`."""

    head_seconds: float = HEAD_SECONDS

    async def start(self) -> None:
        """Listen."""
        await web.BaseSite.start(self)
        server = self._runner.server
        if server is None:
            raise RuntimeError("the runner must be set up before its sites start")
        self._server = await asyncio.get_running_loop().create_server(
            lambda: HeadFirst(server, self.head_seconds), sock=self._sock, backlog=self._backlog
        )
