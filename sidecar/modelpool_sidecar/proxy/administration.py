"""Calls that change an engine: closed, unless the gateway's operator has opened them by name.

An open call goes to the first Ollama that is ready, its body as a stream, because blobs are larger than any memory.
It is never tried twice: it is no read.
"""

from aiohttp import web

from ..protocols import errors
from ..protocols.errors import Reason, Refusal
from ..protocols.paths import Call
from ..routing.documents import Engine
from ..routing.table import RoutingTable
from . import carriers, headers, refusals, sending
from .directory import Directory
from .upstream import BrokenMidStream, Upstream, UpstreamError, UpstreamRequest
from .visit import Visit


class Administration:
    """Lets the opened calls through. One per gateway."""

    def __init__(self, directory: Directory, upstream: Upstream, opened: frozenset[str]) -> None:
        self._directory = directory
        self._upstream = upstream
        self._opened = opened

    async def serve(self, visit: Visit, call: Call) -> web.StreamResponse:
        """Pass one call on, or refuse it."""
        if call.admin not in self._opened:
            closed = Refusal(reason=Reason.CLOSED, detail=f"{call.admin} is closed at this gateway")
            return await self._refuse(visit, closed)
        url = _first_ollama(self._directory.table)
        if url is None:
            nobody = Refusal(reason=Reason.UNAVAILABLE, detail="no Ollama is ready", retry_after_s=refusals.LATER_S)
            return await self._refuse(visit, nobody)
        source = visit.request
        request = UpstreamRequest(
            method=call.method,
            path=f"{call.path}?{source.query_string}" if source.query_string else call.path,
            headers=headers.to_engine(source.headers.items(), request_id=visit.request_id),
            body=source.content.iter_any() if source.can_read_body else None,
        )
        visit.backend = Engine.OLLAMA.value
        try:
            response = await self._upstream.open(url, request)
        except UpstreamError as error:
            visit.error = str(error)
            failed = Refusal(reason=Reason.ENGINE_FAILED, detail="Ollama did not answer")
            return await self._refuse(visit, failed)
        try:
            chunks, carrier = response.chunks(), carriers.Opaque()
            return await sending.stream(visit, response.headers, chunks, carrier, status=response.status)
        except BrokenMidStream as error:
            visit.error = str(error)
            return await self._refuse(visit, Refusal(reason=Reason.ENGINE_FAILED, detail="Ollama broke off"))
        finally:
            response.release()

    async def _refuse(self, visit: Visit, refusal: Refusal) -> web.StreamResponse:
        return await sending.answer(visit, errors.render(refusal, visit.dialect))


def _first_ollama(table: RoutingTable) -> str | None:
    return next(
        (
            endpoint.url
            for model in table.models
            for backend in model.backends
            if backend.engine is Engine.OLLAMA
            for endpoint in backend.endpoints
            if endpoint.ready
        ),
        None,
    )
