"""The seam to engines, over plain asyncio: connections that are kept, and one second try when a kept one was stale.

The last connection to become idle is the first to be used, so that few stay open. An engine may close an idle
connection in the moment it is taken: that says nothing about the engine, and the request goes out again on a new one.
"""

import asyncio
import errno
import re
import ssl
from functools import cached_property
from typing import Final, cast

from ..inline_task import in_task
from ..limits import Limit, Limits
from ..urls import shown
from .connection import ClientConnection
from .errors import ClosedBeforeFirstByte, ConnectFailed, NobodyThere, OutOfResources, described
from .request_sender import BaseUrl, ClientRequest, Origin
from .shortage import Shortages, is_ours

_IDLE_SECONDS: Final = 3.0
"""How long an unused connection is kept: less than the five seconds after which vLLM's server closes it."""
_LOOK_SECONDS: Final = 1.0
"""Between looks at connections whose answers may have been over before their bodies."""
_KNOWN_BASES: Final = 10_000
"""Base URLs whose parts are remembered; addresses of engines come and go."""
_CLOSING_SECONDS: Final = 5.0
"""What closing all connections may take; the event loop needs a few of its rounds."""
_NOBODY: Final = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH})
_EACH: Final = re.compile(r"\[Errno (\d+)\]")
"""How the event loop words the errors of a name's addresses, where there are several."""


class ConnectionPool:
    """Asks engines. Concurrency is bounded by whoever asks, not here."""

    def __init__(self, *, connect_timeout: float, read_timeout: float, limits: Limits | None = None) -> None:
        """Both in seconds; `read_timeout` bounds the silence between two pieces, never the whole answer.

        `limits` counts how often these were reached.
        """
        self._limits = limits
        self._shortages = Shortages()
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._bases: dict[str, BaseUrl] = {}
        self._idle: dict[Origin, list[ClientConnection]] = {}
        self._open: set[ClientConnection] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._closed = False
        self._emptied: asyncio.Future[None] | None = None

    async def open(self, base_url: str, request: ClientRequest) -> ClientConnection:
        """Send and wait for the head of the answer.

        Raises ConnectFailed, OutOfResources or ClosedBeforeFirstByte.
        """
        base = self._bases.get(base_url)
        if base is None:
            try:
                base = self._base(base_url)
            except ValueError as wrong:
                raise ConnectFailed(described(wrong)) from wrong
        head = base.head(request)
        # A stream cannot be sent twice, so it must not meet a stale connection.
        kept = self._taken(base.place) if request.body is None or isinstance(request.body, bytes) else None
        connection = kept or await self._connected(base.place, base_url)
        try:
            try:
                await connection.ask(head, request.body, request.behalf, only_head=request.method == "HEAD")
            except ClosedBeforeFirstByte:
                if kept is None or not kept.stale:
                    raise
                connection = await self._connected_anew(base.place, base_url)
                await connection.ask(head, request.body, request.behalf, only_head=request.method == "HEAD")
        except ClosedBeforeFirstByte as error:
            raise ClosedBeforeFirstByte(f"{shown(base_url)}: {error}") from error
        return connection

    def silent(self, seconds: float) -> list[str]:
        """Base URLs at which some answer has been waited for without a byte, for so long."""
        now = asyncio.get_running_loop().time()
        places = {one.place for one in self._open if one.quiet(now) >= seconds}
        return [url for url, base in self._bases.items() if base.place in places] if places else []

    def under_way(self, base_url: str) -> list[ClientConnection]:
        """Connections to the place of a base URL that somebody waits for an answer at."""
        base = self._bases.get(base_url)
        return [] if base is None else [one for one in self._open if one.place == base.place and one.behalf is not None]

    async def close(self) -> None:
        """Close all connections, also those in use."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        if self._looking is not None:
            self._looking.cancel()
        self._shortages.close()
        for connection in list(self._open):
            connection.abort()
        async with asyncio.timeout(_CLOSING_SECONDS):
            while self._open:
                self._emptied = asyncio.get_running_loop().create_future()
                await self._emptied
        await asyncio.sleep(0)  # the loop lets go of a socket after it has told the protocol

    def _base(self, url: str) -> BaseUrl:
        if len(self._bases) >= _KNOWN_BASES:
            self._bases.clear()
        base = self._bases[url] = BaseUrl(url)
        return base

    async def _connected(self, place: Origin, base_url: str) -> ClientConnection:
        await in_task()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, made = await loop.create_connection(
                    lambda: cast("asyncio.Protocol", ClientConnection(self, place, self._read_timeout)),
                    place.host,
                    place.port,
                    ssl=self._tls if place.tls else None,
                )
        except TimeoutError as late:
            if self._limits is not None:
                self._limits.reached(Limit.ENGINE_CONNECT_SECONDS)
            raise ConnectFailed(f"{shown(base_url)}: {described(late)}") from late
        except OSError as error:
            if is_ours(error):
                self._shortages.note(error)
                raise OutOfResources(f"{shown(base_url)}: {described(error)}") from error
            if _is_nobody(error):
                raise NobodyThere(f"{shown(base_url)}: {described(error)}") from error
            raise ConnectFailed(f"{shown(base_url)}: {described(error)}") from error
        connection = cast("ClientConnection", made)
        if not connection.lost:  # else it was said already that it is gone
            self._open.add(connection)
            if self._looking is None and not self._closed:
                self._looking = loop.call_later(_LOOK_SECONDS, self._look)
        return connection

    async def _connected_anew(self, place: Origin, base_url: str) -> ClientConnection:
        """A connection for a second try. Where none comes about, the first try may be what ended the engine."""
        try:
            return await self._connected(place, base_url)
        except ConnectFailed as error:
            raise ClosedBeforeFirstByte("the engine closed the connection and takes no other") from error

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def _taken(self, place: Origin) -> ClientConnection | None:
        """The connection that became idle last, if its engine can be expected to still keep it."""
        idle = self._idle.get(place)
        while idle:
            connection = idle.pop()
            if not connection.lost and connection.idle_seconds < _IDLE_SECONDS:
                return connection
            connection.abort()
        return None

    def returned(self, connection: ClientConnection) -> None:
        """See `request_sender.PoolOwner`."""
        if self._closed:
            connection.abort()
            return
        idle = self._idle.get(connection.place)
        if idle is None:
            idle = self._idle[connection.place] = []
        idle.append(connection)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._clean)

    def fell_silent(self) -> None:
        """See `request_sender.PoolOwner`."""
        if self._limits is not None:
            self._limits.reached(Limit.ENGINE_SILENCE_SECONDS)

    def gone(self, connection: ClientConnection) -> None:
        """See `request_sender.PoolOwner`."""
        self._open.discard(connection)
        if self._emptied is not None and not self._open:
            self._emptied.set_result(None)
            self._emptied = None

    def _look(self) -> None:
        self._looking = None
        for connection in list(self._open):
            connection.look()
        if self._open and not self._closed:
            self._looking = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def _clean(self) -> None:
        """Close what was idle for too long: the first ones of each list."""
        for place, idle in list(self._idle.items()):
            while idle and (idle[0].lost or idle[0].idle_seconds >= _IDLE_SECONDS):
                idle.pop(0).abort()
            if not idle:
                del self._idle[place]
        loop = asyncio.get_running_loop()
        self._sweep = loop.call_later(_IDLE_SECONDS, self._clean) if self._idle else None


def _is_nobody(error: OSError) -> bool:
    """Whether that is how a connection fails where nobody listens, at none of a name's addresses."""
    if error.errno is not None:
        return error.errno in _NOBODY
    codes = _EACH.findall(str(error))
    return bool(codes) and all(int(code) in _NOBODY for code in codes)
