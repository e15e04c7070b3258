"""The seam to engines on aiohttp's client. The only module that knows which HTTP client is used."""

import asyncio
import io
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Final

import aiohttp
import yarl

from .upstream import BrokenMidStream, ClosedBeforeFirstByte, ConnectFailed, Headers, UpstreamRequest, UpstreamResponse

_NOT_OURS: Final = frozenset({"User-Agent", "Accept", "Accept-Encoding", "Content-Type"})
_IDLE_SECONDS: Final = 3.0
"""How long an unused connection is kept: less than the five seconds after which vLLM's server closes it."""
_LARGE_BODY: Final = 512 * 1024


class AiohttpResponse:
    """Implements `upstream.UpstreamResponse`."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status

    @property
    def headers(self) -> Headers:
        """All headers in order."""
        return list(self._response.headers.items())

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            raise BrokenMidStream(_told(error)) from error

    def release(self) -> None:
        """Back to the pool when all was read; aiohttp closes it otherwise."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()

    def abort(self) -> None:
        """Close the connection."""
        self._response.close()


@dataclass(slots=True)
class _Connection:
    """What aiohttp's tracing tells of the connection that a request got."""

    reused: bool = False


class AiohttpUpstream:
    """Implements `upstream.Upstream` with one session; concurrency is bounded by admission, not here."""

    def __init__(self, *, connect_timeout: float, read_timeout: float) -> None:
        """Both in seconds; `read_timeout` bounds the silence between two pieces, never the whole answer."""
        tracing = aiohttp.TraceConfig()
        tracing.on_connection_reuseconn.append(_note_reuse)
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=10, keepalive_timeout=_IDLE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_NOT_OURS,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout, sock_read=read_timeout),
            trace_configs=[tracing],
        )

    async def open(self, base_url: str, request: UpstreamRequest) -> UpstreamResponse:
        """Send one request and wait for the head of its answer."""
        while True:
            connection = _Connection()
            try:
                return await self._send(base_url, request, connection)
            except ClosedBeforeFirstByte:
                # The engine closed an idle connection just as we took it: that says nothing about the engine. Each
                # round uses one such connection up, so this ends with a fresh one.
                if not connection.reused or not isinstance(request.body, bytes | None):
                    raise

    async def close(self) -> None:
        """Close the session and let the transports finish closing."""
        await self._session.close()
        await asyncio.sleep(0)

    async def _send(self, base_url: str, request: UpstreamRequest, connection: _Connection) -> UpstreamResponse:
        try:
            response = await self._session.request(
                request.method,
                yarl.URL(base_url + request.path, encoded=True),
                headers=request.headers,
                data=_in_pieces(request.body),
                allow_redirects=False,
                trace_request_ctx=connection,
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise ConnectFailed(f"{base_url}: {_told(error)}") from error
        except TimeoutError as error:
            connection.reused = False  # silence is no closed connection
            raise ClosedBeforeFirstByte(f"{base_url}: {_told(error)}") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise ClosedBeforeFirstByte(f"{base_url}: {_told(error)}") from error
        return AiohttpResponse(response)


def _in_pieces(body: bytes | AsyncIterable[bytes] | None) -> bytes | AsyncIterable[bytes] | io.BytesIO | None:
    """A large body is written piece by piece, so that sending it does not hold up everybody else."""
    return io.BytesIO(body) if isinstance(body, bytes) and len(body) > _LARGE_BODY else body


async def _note_reuse(
    _: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceConnectionReuseconnParams
) -> None:
    context.trace_request_ctx.reused = True


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
