"""The connections that came in by the listening sockets (`listener`), and their end.

A request has a task only where it must wait for more than its engine (see `inline_task`); the gateway's task group
owns it. Closing waits for the answers that are being given, within a limit. Those that are not whole then end with an
error in their caller's dialect.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

from ..limits import Limits
from .body_memory import Bodies
from .connection import ServerConnection
from .connection_owner import Application, KeptConnection
from .general.connections import GeneralConnections
from .listener import Listener
from .pipelining import Turns
from .request import ServerRequest
from .request_parser import HeadCache
from .response_writer import Clock, ResponseWriter

STOPPED: Final = "the gateway was stopped"
"""What callers are told whose answers are not whole at the end."""
_LOOK_SECONDS: Final = 1.0
"""At most, between two looks at callers that read nothing or may have left unseen."""
_LOOKS: Final = 8
"""At least, in the time that a caller may read nothing."""
_LAST_WORDS_SECONDS: Final = 2.0
"""For the errors that are told at the end to reach their callers."""
_SPARED_SECONDS: Final = 1.0
"""At least, before a connection is closed to let others in: who asks again and again is hardly ever met by that."""
_ROOM_PARTS: Final = 64
"""Of the connections that there may be, the part that is closed at once to let others in."""
_log = logging.getLogger(__name__)


class Server:
    """Lets callers in. Implements `connection_owner.ConnectionOwner`."""

    def __init__(self, application: Application, group: asyncio.TaskGroup, limits: Limits) -> None:
        """`group` owns tasks."""
        self._loop = asyncio.get_running_loop()
        self.clock = Clock()
        self.limits = limits
        self.heads = HeadCache(limits.max_body_bytes, application.streams_body)
        self.turns = Turns(self._loop)
        self.bodies = Bodies(limits)
        self.answer: Callable[[ServerRequest], Coroutine[Any, None, None]] = application.answer
        self.refuse: Callable[[ServerRequest, Exception], None] = application.refuse
        self.group = group
        self._general = GeneralConnections(self)
        self._accepting = Listener(self._let_in, self._make_room, limits)
        self._connections: set[ServerConnection] = set()
        self._draining = False
        self._hurried = False
        self._woken: asyncio.Future[None] | None = None
        self._looking = self._loop.call_later(self._look_seconds, self._look)

    async def listen(self, bound: socket.socket) -> None:
        """Accept connections on a socket."""
        self._accepting.open(bound)

    @property
    def callers(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def drain(self) -> None:
        """Have every answer from now on be the last of its connection, and say so."""
        self._draining = True
        for connection in self._connections:
            connection.closing = True

    def hurry(self) -> None:
        """Wait no longer for answers that are being given: `close` ends them at once."""
        self._hurried = True
        self._wake()

    async def close(self, timeout: float) -> None:
        """Accept no more, give running answers so many seconds, then end what is left."""
        self._accepting.close()
        self._general.leave()
        await self._empty(timeout)
        self._looking.cancel()

    # What connections need: `connection_owner.ConnectionOwner`.

    def failed(self, writer: ResponseWriter, fault: Exception) -> None:
        """See `connection_owner.ConnectionOwner`."""
        if not isinstance(fault, ConnectionError):
            _log.error("Could not end an answer", exc_info=fault)
        writer.cut_off()

    def lend(self, due: float) -> asyncio.Protocol:
        """See `connection_owner.ConnectionOwner`."""
        return self._general.protocol(due)

    def left(self, connection: ServerConnection) -> None:
        """See `connection_owner.ConnectionOwner`."""
        self._connections.discard(connection)
        self._accepting.closed_one()
        if not self._connections:
            self._wake()

    def _let_in(self, accepted: socket.socket) -> None:
        """Take over a connection that was accepted."""
        connection = ServerConnection(self)
        connection.closing = self._draining
        self._connections.add(connection)
        entering = self._enter(accepted, connection)
        try:
            self.group.create_task(entering, name="let a caller in")
        except RuntimeError:  # the group has been cancelled
            entering.close()
            accepted.close()
            self.left(connection)

    async def _enter(self, accepted: socket.socket, connection: ServerConnection) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: cast("asyncio.Protocol", connection), accepted)
        except OSError:  # it has left already
            accepted.close()
            self.left(connection)

    @property
    def _look_seconds(self) -> float:
        return min(_LOOK_SECONDS, self.limits.write_timeout / _LOOKS)

    def _look(self) -> None:
        self._looking = self._loop.call_later(self._look_seconds, self._look)
        now = self._loop.time()
        for connection in list(self._connections):
            connection.look(now)
        if self._accepting.shut:
            self._make_room()

    def _make_room(self) -> None:
        """Close connections on which nothing is asked, the oldest first: callers wait, and one may be a probe."""
        latest = self._loop.time() - _SPARED_SECONDS
        kept: list[KeptConnection] = [*self._connections, *self._general.connections]
        idle = [(one.idle_since, place) for place, one in enumerate(kept) if one.idle_since <= latest]
        for _, place in sorted(idle)[: max(1, self.limits.max_connections // _ROOM_PARTS)]:
            kept[place].leave()

    async def _empty(self, timeout: float) -> None:
        for connection in list(self._connections):
            connection.leave()
        if not self._hurried:
            await self._until_empty(timeout)
        for connection in list(self._connections):
            connection.end(STOPPED)
        self._general.end()
        await self._until_empty(_LAST_WORDS_SECONDS)
        for connection in list(self._connections):
            connection.abort()

    async def _until_empty(self, timeout: float) -> None:
        """Wait until no connection is open, or for so many seconds."""
        if self._connections:
            self._woken = self._loop.create_future()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._woken

    def _wake(self) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)
