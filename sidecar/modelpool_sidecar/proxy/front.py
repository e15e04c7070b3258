"""The front door: the listening sockets, and the connections that came in by them.

A request has a task only where it must wait for more than its engine (see `errand`); the gateway's task group owns it.
Closing waits for the answers that are being given, within a limit.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

from .aside import Aside
from .front_connection import BODY_SECONDS, HEAD_SECONDS, CallerConnection
from .front_head import Heads
from .visitor import Visitor
from .way_back import Clock, WayBack

_BACKLOG: Final = 1024
_log = logging.getLogger(__name__)


class Front:
    """Lets callers in. Implements `front_connection.House`."""

    def __init__(
        self, answer: Callable[[Visitor], Coroutine[Any, None, None]], group: asyncio.TaskGroup, *, most_bytes: int
    ) -> None:
        """`answer` answers one request; `group` owns tasks; `most_bytes` is the largest body."""
        self.clock = Clock()
        self.heads = Heads(most_bytes)
        self.head_seconds = HEAD_SECONDS
        self.body_seconds = BODY_SECONDS
        self.answer = answer
        self.group = group
        self._aside = Aside(self._answer_aside, self.clock, most_bytes=most_bytes)
        self._servers: list[asyncio.Server] = []
        self._connections: set[CallerConnection] = set()
        self._emptied: asyncio.Future[None] | None = None

    async def listen(self, bound: socket.socket) -> None:
        """Accept connections on a socket."""
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_server(self._protocol, sock=bound, backlog=_BACKLOG))

    async def close(self, timeout: float) -> None:
        """Accept no more, give running answers so many seconds, then cut off what is left."""
        for server in self._servers:
            server.close()
        async with asyncio.TaskGroup() as closing:
            closing.create_task(self._aside.close(timeout), name="close what was lent to aiohttp")
            closing.create_task(self._empty(timeout), name="close the front door's connections")

    # What connections need: `front_connection.House`.

    def failed(self, back: WayBack, fault: Exception) -> None:
        """See `front_connection.House`."""
        if not isinstance(fault, ConnectionError):
            _log.error("Could not end an answer", exc_info=fault)
        back.cut_off()

    def lend(self) -> asyncio.Protocol:
        """See `front_connection.House`."""
        return self._aside.protocol()

    def left(self, connection: CallerConnection) -> None:
        """See `front_connection.House`."""
        self._connections.discard(connection)
        if self._emptied is not None and not self._connections and not self._emptied.done():
            self._emptied.set_result(None)

    def _protocol(self) -> asyncio.Protocol:
        made = CallerConnection(self)
        self._connections.add(made)
        return cast("asyncio.Protocol", made)

    async def _answer_aside(self, visitor: Visitor) -> None:
        try:
            await self.answer(visitor)
        except Exception as fault:
            self.failed(visitor.back, fault)

    async def _empty(self, timeout: float) -> None:
        for connection in list(self._connections):
            connection.leave()
        if self._connections:
            self._emptied = asyncio.get_running_loop().create_future()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._emptied
        for connection in list(self._connections):
            connection.abort()
