"""Every request comes in here, learns what it is, and is answered by whoever has that call.

Errors of all rooms are turned into words here and nowhere else.
"""

import asyncio
import logging
import time

from ..dialects import calls, errors
from ..dialects.calls import Call, Kind
from ..dialects.cors import HostPolicy
from ..dialects.dialect import Dialect, Operation
from ..dialects.errors import Reason, Refusal
from ..discovery.directory import Directory
from ..engines.registry import Profiles
from ..http import headers
from ..http.errors import BadRequestError, NoRoomError, TooLargeError, TooLateError
from ..http.server.request import RequestHead, ServerRequest
from ..telemetry.events import Events
from . import refusals, relay
from .admin import Admin
from .context import Ids, RequestContext
from .engine_catalog import NOTHING, EngineCatalog
from .inference import Inference
from .models import Models
from .pages import Pages
from .request_bodies import RequestBodies
from .resolved_head import ResolvedHead

_GONE = 499
"""The caller left before the answer was whole: never sent, only counted."""

_READING = ("GET", "HEAD")

_log = logging.getLogger(__name__)


class Dispatch:
    """Implements `connection_owner.Application`. One per gateway."""

    def __init__(
        self,
        *,
        directory: Directory,
        inference: Inference,
        administration: Admin,
        pages: Pages,
        events: Events,
        profiles: Profiles,
        host_policy: HostPolicy,
        bodies: RequestBodies,
        engine_catalog: EngineCatalog,
    ) -> None:
        self._directory = directory
        self._inference = inference
        self._administration = administration
        self._pages = pages
        self._events = events
        self._profiles = profiles
        self._host_policy = host_policy
        self._bodies = bodies
        self._ids = Ids()
        self._models = Models(profiles)
        self._engine_catalog = engine_catalog

    async def answer(self, request: ServerRequest) -> None:
        """Answer one request. Runs as an `inline_task`."""
        head = request.head
        resolved = head.resolved
        if type(resolved) is not ResolvedHead:
            resolved = self._resolve(head)
        if resolved.page:
            self._tell(request, resolved)
            return
        context = self._begun(request, head, resolved)
        try:
            call = resolved.inference
            if call is not None:
                body = request.body
                await self._inference.serve(context, call, await request.read() if body is None else body)
            else:
                await self._answer(context)
        except (BadRequestError, TooLargeError, TooLateError, NoRoomError) as wrong:
            self._refuse(context, refusals.of_caller(wrong))
        except (asyncio.CancelledError, ConnectionError):
            self._end(context)
            raise
        except Exception as fault:
            _log.exception("Could not answer a request", extra={"request_id": context.request_id})
            if context.first_byte_ns:
                raise
            context.error = type(fault).__name__
            self._refuse(context, Refusal(reason=Reason.INTERNAL, detail="internal error"))
        finally:
            self._leave(context)

    def streams_body(self, path: str) -> bool:
        """See `connection_owner.Application`: what changes an engine may be larger than any memory."""
        call = calls.resolve("POST", path)
        return isinstance(call, Call) and call.kind is Kind.ADMIN

    def _resolve(self, head: RequestHead) -> ResolvedHead:
        """A head that has not been seen before, understood: it is remembered with it."""
        known = head.resolved
        if type(known) is ResolvedHead:
            return known
        head.resolved = resolved = ResolvedHead(head, self._host_policy, self._profiles)
        resolved.page = resolved.turned_away is None and head.method in _READING and self._pages.has(head.path)
        return resolved

    def _tell(self, request: ServerRequest, resolved: ResolvedHead) -> None:
        """One of the gateway's own pages. They are asked for all the time, so they are not logged."""
        page = self._pages.find(request.head.path)
        assert page is not None
        lines = headers.lines([("Content-Type", page.content_type), *resolved.cors.items()])
        request.writer.whole(page.status, lines, page.body)

    def refuse(self, request: ServerRequest, wrong: Exception) -> None:
        """Answer a request that the server does not let in.

        `wrong` is of those that `request.ServerRequest.read` raises.
        """
        context = self._begun(request, request.head, self._resolve(request.head))
        try:
            self._refuse(context, refusals.of_caller(wrong))
        finally:
            self._leave(context)

    def _end(self, context: RequestContext) -> None:
        """The caller left, or nobody waits for the answer any longer."""
        writer = context.request.writer
        context.error = context.error or writer.why
        if not writer.ending:
            context.status = _GONE
        elif not writer.begun:
            self._refuse(context, Refusal(reason=Reason.UNAVAILABLE, detail=writer.why, retry_after_s=refusals.SOON_S))

    async def _answer(self, context: RequestContext) -> None:
        """What is no call for an engine, or not let in."""
        resolved = context.resolved
        if resolved.turned_away is not None:
            relay.answer(context, resolved.turned_away)
            return
        match resolved.call:
            case Refusal() as refusal:
                self._refuse(context, refusal)
            case Call(kind=Kind.ADMIN) as call:
                await self._administration.serve(context, call)
            case Call() as call:
                await self._catalogue(context, call)

    async def _catalogue(self, context: RequestContext, call: Call) -> None:
        asked = call.argument
        table = self._directory.table
        if call.operation is Operation.SHOW_MODEL and call.dialect is Dialect.OLLAMA:
            body = await self._bodies.read(await context.request.read(), "", call)
            asked = body.facts.model
            found = table.find(asked)
            if found is not None and await self._engine_catalog.show(context, found, body):
                return
            facts = NOTHING
        else:
            facts = await self._engine_catalog.facts(call, table, asked)
        given = self._models.answer(call, table, asked, epoch_ns=context.epoch_ns, facts=facts)
        if isinstance(given, Refusal):
            self._refuse(context, given)
        else:
            relay.answer(context, given)

    def _refuse(self, context: RequestContext, refusal: Refusal) -> None:
        context.error = context.error or refusal.detail or refusal.reason.value[1]
        relay.answer(context, errors.render(refusal, context.resolved.dialect))

    def _begun(self, request: ServerRequest, head: RequestHead, resolved: ResolvedHead) -> RequestContext:
        context = RequestContext(request, head, resolved, resolved.request_id or self._ids.new(), self._events)
        self._events.request_began(context)
        return context

    def _leave(self, context: RequestContext) -> None:
        context.ended_ns = time.monotonic_ns()
        self._events.request_ended(context)
