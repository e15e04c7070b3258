"""The listening sockets, and how many callers are let in by them.

Callers beyond the limit stay in the sockets' backlog until a connection is closed: nothing is spent on them, and they
are served late rather than refused. Connections on which nothing is asked are closed for them. To accept them and
answer 503 would take the descriptors that the limit is there to keep. Sockets are accepted here and not by the event
loop's own servers, which know no limit: when the process is out of descriptors, uvloop's closes its listening socket.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from typing import Final

from ..limits import Limit, Limits

_BACKLOG: Final = 1024
_AT_ONCE: Final = 64
"""Callers that are let in per turn of the event loop and socket."""
_SHORT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What the system says when it has no room for a further connection."""
_AGAIN_SECONDS: Final = 1.0
"""When to try again then, unless a connection is closed before."""
_TELL_SECONDS: Final = 60.0
"""How often a shortage is told of at most: it may end with every connection that is closed, and begin with the next."""
_log = logging.getLogger(__name__)


class Listener:
    """Accepts while there is room. One per gateway."""

    def __init__(self, let_in: Callable[[socket.socket], None], make_room: Callable[[], None], limits: Limits) -> None:
        """`let_in` takes a connection over. `make_room` closes those that can be spared, now or soon."""
        self._let_in = let_in
        self._make_room = make_room
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._listening: list[socket.socket] = []
        self._inside = 0
        self.shut = False
        """Whether callers wait."""
        self._logged_at = -_TELL_SECONDS
        self._again: asyncio.TimerHandle | None = None

    def open(self, bound: socket.socket) -> None:
        """Accept on a socket."""
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # which connections inherit
        bound.setblocking(False)
        bound.listen(_BACKLOG)
        self._listening.append(bound)
        if not self.shut:
            self._loop.add_reader(bound.fileno(), self._accept, bound)

    def close(self) -> None:
        """Accept no more."""
        if self._again is not None:
            self._again.cancel()
        for bound in self._listening:
            self._loop.remove_reader(bound.fileno())
            bound.close()
        self._listening.clear()

    def closed_one(self) -> None:
        """A connection that was let in is closed."""
        self._inside -= 1
        if self.shut:
            self._go_on()

    def _accept(self, bound: socket.socket) -> None:
        for before in range(_AT_ONCE):
            if self._inside >= self._limits.max_connections:
                if not before:  # else it is not known yet whether a further one is there
                    self._stop("Callers wait: as many are connected as may be", {"connections": self._inside})
                return
            try:
                accepted, _ = bound.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _SHORT:
                    self._again = self._loop.call_later(_AGAIN_SECONDS, self._go_on)
                    self._stop("Callers wait: the system has no descriptor for them", {"error": str(error)})
                    return
                continue  # of the one connection: its caller has left already
            accepted.setblocking(False)
            self._inside += 1
            self._let_in(accepted)

    def _stop(self, message: str, fields: dict[str, object]) -> None:
        self.shut = True
        self._limits.reached(Limit.CONNECTIONS)
        now = self._loop.time()
        if now - self._logged_at >= _TELL_SECONDS:
            self._logged_at = now
            _log.warning(message, extra=fields)
        for bound in self._listening:
            self._loop.remove_reader(bound.fileno())
        self._make_room()

    def _go_on(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self.shut:
            self.shut = False
            for bound in self._listening:
                self._loop.add_reader(bound.fileno(), self._accept, bound)
