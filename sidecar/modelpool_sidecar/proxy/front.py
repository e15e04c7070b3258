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
from .body_budget import Bodies
from .front_connection import HEAD_SECONDS, CallerConnection
from .front_head import Heads
from .limits import Limits
from .visitor import Visitor
from .way_back import Clock, WayBack

_BACKLOG: Final = 1024
_log = logging.getLogger(__name__)


class Front:
    """Lets callers in. Implements `front_connection.House` and `aside_connection.AsideHouse`."""

    def __init__(
        self,
        answer: Callable[[Visitor], Coroutine[Any, None, None]],
        refuse: Callable[[Visitor, Exception], None],
        group: asyncio.TaskGroup,
        limits: Limits,
    ) -> None:
        """`answer` answers one request, `refuse` one that is not let in; `group` owns tasks."""
        self.clock = Clock()
        self.limits = limits
        self.bodies = Bodies(limits)
        self.heads = Heads(limits.max_body_bytes)
        self.head_seconds = HEAD_SECONDS
        self.answer = answer
        self.refuse = refuse
        self.group = group
        self._aside = Aside(self)
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
        self._aside.leave()
        await self._empty(timeout)

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
