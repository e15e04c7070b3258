"""Calls that change an engine: closed, unless the gateway's operator has opened them by name.

A call of Ollama's goes to the first Ollama that is ready. Every vLLM serves one model, so a call of vLLM's says by
`?model=NAME` which one it means. Bodies travel as streams, because blobs are larger than any memory. Nothing is tried
twice: it is no read.
"""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from ..dialects import errors
from ..dialects.calls import Call
from ..dialects.errors import Reason, Refusal
from ..discovery.directory import Directory
from ..http.client.response import BrokenMidStream, Client, ClientError, ClientRequest, OutOfResources
from ..routing.documents import Engine
from ..routing.table import Backend
from . import refusals, relay, transforms
from .context import RequestContext

_NAMES = {Engine.OLLAMA: "Ollama", Engine.VLLM: "vLLM"}


class _Place(NamedTuple):
    """Where a call goes, and the header line that is asked for there."""

    url: str
    authorization: bytes


class Admin:
    """Lets the opened calls through. One per gateway."""

    def __init__(self, directory: Directory, upstream: Client, opened: frozenset[str]) -> None:
        self._directory = directory
        self._upstream = upstream
        self._opened = opened

    async def serve(self, visit: RequestContext, call: Call) -> None:
        """Pass one call on, or refuse it."""
        if call.admin not in self._opened:
            closed = Refusal(reason=Reason.CLOSED, detail=f"{call.admin} is closed at this gateway")
            self._refuse(visit, closed)
            return
        engine = next(Engine(one.value) for one in call.upstreams)
        visitor, opening = visit.visitor, visit.opening
        asked = parse_qsl(visitor.head.query, keep_blank_values=True)
        place = self._place(engine, dict(reversed(asked)).get("model", ""), call)
        if isinstance(place, Refusal):
            self._refuse(visit, place)
            return
        query = urlencode([(name, value) for name, value in asked if name != "model"])
        request = ClientRequest(
            method=visitor.head.method,
            path=quote(call.path, safe="/:") + (f"?{query}" if query else ""),
            lines=opening.for_engine(json=False) + visit.id_line + place.authorization,
            body=visitor.pieces(),
        )
        visit.backend = engine.value
        try:
            response = await self._upstream.open(place.url, request)
        except OutOfResources as short:
            visit.error = str(short)
            busy = Refusal(reason=Reason.BUSY, detail=refusals.SHORT, retry_after_s=refusals.SOON_S)
            self._refuse(visit, busy)
            return
        except ClientError as error:
            visit.error = str(error)
            failed = Refusal(reason=Reason.ENGINE_FAILED, detail=f"{_NAMES[engine]} did not answer")
            self._refuse(visit, failed)
            return
        try:
            await relay.stream(visit, response, transforms.Opaque())
        except BrokenMidStream as error:
            visit.error = str(error)
            self._refuse(visit, Refusal(reason=Reason.ENGINE_FAILED, detail=f"{_NAMES[engine]} broke off"))
        finally:
            response.release()

    def _place(self, engine: Engine, model: str, call: Call) -> _Place | Refusal:
        """Where the call goes."""
        table = self._directory.table
        backends: Iterable[Backend] = (backend for one in table.models for backend in one.backends)
        if engine is Engine.VLLM:
            if not model:
                return Refusal(reason=Reason.BAD_REQUEST, detail=f"{call.admin} must name an engine by ?model=NAME")
            known = table.find(model)
            if known is None:
                return Refusal(reason=Reason.UNKNOWN_MODEL, detail=model, operation=call.operation)
            backends = known.backends
        ready = (
            _Place(one.url, backend.authorization)
            for backend in backends
            if backend.engine is engine
            for one in backend.endpoints
            if one.ready
        )
        nobody = Refusal(
            reason=Reason.UNAVAILABLE, detail=f"no {_NAMES[engine]} is ready", retry_after_s=refusals.LATER_S
        )
        return next(ready, nobody)

    def _refuse(self, visit: RequestContext, refusal: Refusal) -> None:
        visit.error = visit.error or refusal.detail
        relay.answer(visit, errors.render(refusal, visit.dialect))
