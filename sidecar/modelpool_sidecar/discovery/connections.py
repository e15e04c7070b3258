"""Outgoing connections that are known to be closed when a gateway ends.

aiohttp forgets a connection as soon as its answer is closed, and a TLS connection then still waits for its peer's
goodbye. An event loop that is closed meanwhile ends in errors, uvloop's even with EBUSY. So whoever opens connections
makes them through here, and ends them here: what is still open is cut off, and waited for.
"""

import asyncio
import errno
import socket
import weakref
from typing import Any, Final

import aiohttp

PATIENCE: Final = 5.0
"""Seconds that cut connections may take to be gone; the event loop needs a few of its rounds."""
_LOOK: Final = 0.001
"""Seconds between looks at connections that were cut."""


class StillOpenError(OSError):
    """Connections could not be closed; the message says how many, and to where."""


class Connections:
    """The connections of one user of the network. `connector` opens them, `close` ends all of them."""

    def __init__(self) -> None:
        # The event loop holds a socket as long as it is open.
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def connector(self, **options: Any) -> aiohttp.TCPConnector:
        """Return a connector whose connections `close` ends; `options` are those of aiohttp."""
        return aiohttp.TCPConnector(socket_factory=self._socket, **options)

    async def close(self, session: aiohttp.ClientSession) -> None:
        """Close the session, cut what it left open, and return when nothing is open any more.

        Raises:
            StillOpenError: something is, after `PATIENCE`.
        """
        await session.close()
        for one in self._open():
            _cut(one)
        try:
            async with asyncio.timeout(PATIENCE):
                while self._open():  # noqa: ASYNC110 -- nobody is told when a socket's file is closed
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            peers = sorted({_peer(one) for one in self._open()})
            message = f"could not close the connections to {', '.join(peers)} within {PATIENCE:g} s"
            raise StillOpenError(message) from None
        # One more round of the loop, for whoever is told that its connection is lost.
        await asyncio.sleep(0)

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, *_ = info
        made = socket.socket(family, kind, protocol)
        self._sockets.add(made)
        return made

    def _open(self) -> list[socket.socket]:
        """Those whose file the event loop has not closed: it does so last, after it has told the protocol."""
        return [one for one in self._sockets if one.fileno() != -1]


def _cut(one: socket.socket) -> None:
    """End both directions, so that nothing waits for the peer."""
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError as error:
        if error.errno != errno.ENOTCONN:  # gone already, or not there yet
            raise


def _peer(one: socket.socket) -> str:
    try:
        host, port, *_ = one.getpeername()
    except OSError:
        return "nobody"
    return f"{host}:{port}"
