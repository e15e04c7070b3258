"""Calls that change an engine: closed, unless the gateway's operator has opened them by name.

A call goes to the first engine of its kind that is ready. Where each engine serves one model, as every vLLM does, it
says by `?model=NAME` which one it means. Bodies travel as streams, because blobs are larger than any memory. Nothing
is tried twice: it is no read.
"""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from ..dialects import errors
from ..dialects.calls import Call
from ..dialects.errors import Reason, Refusal
from ..discovery.directory import Directory
from ..engines.profile import Profile
from ..engines.registry import Profiles
from ..http.client.errors import BrokenMidStream, ClientError, OutOfResources
from ..http.client.pool import ConnectionPool
from ..http.client.request_sender import ClientRequest
from ..routing.table import Backend
from . import refusals, relay, transforms
from .context import RequestContext


class _Place(NamedTuple):
    """Where a call goes, and the header line that is asked for there."""

    url: str
    authorization: bytes


class Admin:
    """Lets the opened calls through. One per gateway."""

    def __init__(
        self, directory: Directory, upstream: ConnectionPool, opened: frozenset[str], profiles: Profiles
    ) -> None:
        self._directory = directory
        self._upstream = upstream
        self._opened = opened
        self._profiles = profiles

    async def serve(self, context: RequestContext, call: Call) -> None:
        """Pass one call on, or refuse it."""
        if call.admin not in self._opened:
            closed = Refusal(reason=Reason.CLOSED, detail=f"{call.admin} is closed at this gateway")
            self._refuse(context, closed)
            return
        engine = self._profiles.with_admin(call.admin)
        assert engine is not None, "every call of the table has an engine"
        request, resolved = context.request, context.resolved
        asked = parse_qsl(request.head.query, keep_blank_values=True)
        place = self._place(engine, dict(reversed(asked)).get("model", ""), call)
        if isinstance(place, Refusal):
            self._refuse(context, place)
            return
        query = urlencode([(name, value) for name, value in asked if name != "model"])
        outgoing = ClientRequest(
            method=request.head.method,
            path=quote(call.path, safe="/:") + (f"?{query}" if query else ""),
            lines=resolved.native_headers + context.id_line + place.authorization,
            body=request.pieces(),
        )
        context.backend = engine.name
        try:
            response = await self._upstream.open(place.url, outgoing)
        except OutOfResources as short:
            context.error = str(short)
            busy = Refusal(reason=Reason.BUSY, detail=refusals.SHORT, retry_after_s=refusals.SOON_S)
            self._refuse(context, busy)
            return
        except ClientError as error:
            context.error = str(error)
            failed = Refusal(reason=Reason.ENGINE_FAILED, detail=f"{engine.title} did not answer")
            self._refuse(context, failed)
            return
        try:
            await relay.stream(context, response, transforms.Opaque())
        except BrokenMidStream as error:
            context.error = str(error)
            self._refuse(context, Refusal(reason=Reason.ENGINE_FAILED, detail=f"{engine.title} broke off"))
        finally:
            response.release()

    def _place(self, engine: Profile, model: str, call: Call) -> _Place | Refusal:
        """Where the call goes."""
        table = self._directory.table
        backends: Iterable[Backend] = (backend for one in table.models for backend in one.backends)
        if not engine.holds_many:
            if not model:
                return Refusal(reason=Reason.BAD_REQUEST, detail=f"{call.admin} must name an engine by ?model=NAME")
            known = table.find(model)
            if known is None:
                return Refusal(reason=Reason.UNKNOWN_MODEL, detail=model, operation=call.operation)
            backends = known.backends
        ready = (
            _Place(one.url, backend.authorization)
            for backend in backends
            if backend.engine == engine.name
            for one in backend.endpoints
            if one.ready
        )
        nobody = Refusal(
            reason=Reason.UNAVAILABLE, detail=f"no {engine.title} is ready", retry_after_s=refusals.LATER_S
        )
        return next(ready, nobody)

    def _refuse(self, context: RequestContext, refusal: Refusal) -> None:
        context.error = context.error or refusal.detail
        relay.answer(context, errors.render(refusal, context.resolved.dialect))
