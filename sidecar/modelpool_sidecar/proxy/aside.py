"""The side door: aiohttp reads what the front door does not, and refuses what is no HTTP.

Uploads in chunks, compressed bodies, old clients, bodies too large to be held, malformed requests. Only the request is
aiohttp's: the answer goes back over the caller's own connection, so it looks the same as through the front door.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from .visitor import Head, TooLargeError, Visitor
from .way_back import Clock, Line, WayBack

_IDLE_SECONDS: Final = 75.0
_GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_CONTINUE: Final = "100-continue"


class _Sent(web.StreamResponse):
    """What aiohttp is given in place of an answer that has gone out already."""

    def __init__(self, back: WayBack) -> None:
        super().__init__()
        self._back = back

    @property
    def keep_alive(self) -> bool | None:
        return self._back.lasting

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: Any = b"") -> None:
        return None


class AsideVisitor:
    """Implements `visitor.Visitor` on aiohttp's request."""

    def __init__(self, request: web.BaseRequest, back: WayBack) -> None:
        self._request = request
        self.back = back
        self.body: bytes | None = None
        self.head = Head(request.method, request.path, request.rel_url.raw_query_string, request.headers)

    async def read(self) -> bytes:
        """See `visitor.Visitor`."""
        try:
            return await self._request.read()
        except web.HTTPRequestEntityTooLarge as error:
            raise TooLargeError(error.text or "the request body is too large") from error

    def pieces(self) -> AsyncIterator[bytes] | None:
        """See `visitor.Visitor`."""
        return aiter(self._request.content.iter_any()) if self._request.can_read_body else None


class Aside:
    """Makes protocols for connections that were lent, and ends them."""

    def __init__(self, answer: Callable[[Visitor], Awaitable[None]], clock: Clock, *, most_bytes: int) -> None:
        self._answer = answer
        self._clock = clock
        self._most_bytes = most_bytes
        self._server = web.Server(
            self._handle,
            request_factory=self._request,
            # Without this a caller that leaves goes unnoticed, and its answer is generated to the end.
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=_IDLE_SECONDS,
        )

    def protocol(self) -> asyncio.Protocol:
        """For one connection."""
        return self._server()

    async def close(self, timeout: float) -> None:
        """Give running answers so many seconds, then close every connection that was lent."""
        self._server.pre_shutdown()
        await self._server.shutdown(timeout)

    def _request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        loop = asyncio.get_running_loop()
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=self._most_bytes)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.transport is None:
            raise ConnectionResetError("the caller left")
        line = cast("Line", request.transport.get_protocol())
        old = request.version < (1, 1)
        lasting = bool(request.keep_alive)
        back = WayBack(line, self._clock, old=old, bodiless=request.method == "HEAD", lasting=lasting)
        expects = request.headers.get("Expect", "")
        if expects and not old:
            if expects.lower() != _CONTINUE:
                raise web.HTTPExpectationFailed(text=f"Unknown Expect: {expects}")
            line.write(_GO_ON)
        try:
            await self._answer(AsideVisitor(request, back))
        finally:
            line.draws_from(None)
        return _Sent(back)
