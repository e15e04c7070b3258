"""The seam to engines on aiohttp's client. The only module that knows which HTTP client is used."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import yarl

from .upstream import BrokenMidStream, ClosedBeforeFirstByte, ConnectFailed, Headers, UpstreamRequest, UpstreamResponse

_NOT_OURS = frozenset({"User-Agent", "Accept", "Accept-Encoding", "Content-Type"})


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


class AiohttpUpstream:
    """Implements `upstream.Upstream` with one session; concurrency is bounded by admission, not here."""

    def __init__(self, *, connect_timeout: float, read_timeout: float) -> None:
        """Both in seconds; `read_timeout` bounds the silence between two pieces, never the whole answer."""
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=10, enable_cleanup_closed=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_NOT_OURS,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout, sock_read=read_timeout),
        )

    async def open(self, base_url: str, request: UpstreamRequest) -> UpstreamResponse:
        """Send one request; a pooled connection that turns out closed counts as closed before the first byte."""
        url = yarl.URL(base_url + request.path, encoded=True)
        try:
            response = await self._session.request(
                request.method, url, headers=request.headers, data=request.body, allow_redirects=False
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise ConnectFailed(f"{base_url}: {_told(error)}") from error
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            raise ClosedBeforeFirstByte(f"{base_url}: {_told(error)}") from error
        return AiohttpResponse(response)

    async def close(self) -> None:
        """Close the session and let the transports finish closing."""
        await self._session.close()
        await asyncio.sleep(0)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
