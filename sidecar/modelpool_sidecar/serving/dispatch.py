"""The door: every request comes in here, is told what it is, and leaves one line in the log.

Errors of all rooms are turned into words here and nowhere else.
"""

import asyncio
import logging
import time

from ..dialects import errors
from ..dialects.calls import Call, Kind
from ..dialects.cors import HostPolicy
from ..dialects.dialect import Dialect, Operation
from ..dialects.errors import BadRequestError, Reason, Refusal
from ..discovery.directory import Directory
from ..http import headers
from ..http.server.request import NoRoomError, RequestHead, ServerRequest, TooLargeError, TooLateError
from ..telemetry.logs import AccessLog
from ..telemetry.metrics import Metrics
from ..telemetry.request_series import RequestSeries
from . import refusals, relay
from .admin import Admin
from .context import Ids, RequestContext
from .inference import Inference
from .models import Models
from .pages import Pages
from .request_bodies import RequestBodies
from .resolved_head import ResolvedHead

_GONE = 499
"""The caller left before the answer was whole: never sent, only counted."""

_READING = ("GET", "HEAD")

_CODES = [str(status) for status in range(1000)]
"""Made once: llhttp accepts statuses of three digits."""

_log = logging.getLogger(__name__)


class Dispatch:
    """Handles requests. One per process."""

    def __init__(
        self,
        *,
        directory: Directory,
        inference: Inference,
        administration: Admin,
        pages: Pages,
        metrics: Metrics,
        access: AccessLog,
        doorman: HostPolicy,
        bodies: RequestBodies,
    ) -> None:
        self._directory = directory
        self._inference = inference
        self._administration = administration
        self._pages = pages
        self._metrics = metrics
        self._access = access
        self._doorman = doorman
        self._bodies = bodies
        self._ids = Ids()
        self._told = Models()

    async def handle(self, visitor: ServerRequest) -> None:
        """Answer one request. Runs as an `errand`."""
        opening = visitor.head.opening or self._opened(visitor.head)
        if opening.page:
            self._tell(visitor, opening)
            return
        visiting = RequestContext(visitor, opening, opening.request_id or self._ids.new())
        try:
            call = opening.inference
            if call is not None:
                body = visitor.body
                await self._inference.serve(visiting, call, await visitor.read() if body is None else body)
            else:
                await self._answer(visiting)
        except (BadRequestError, TooLargeError, TooLateError, NoRoomError) as wrong:
            self._refuse(visiting, refusals.of_caller(wrong))
        except (asyncio.CancelledError, ConnectionError):
            self._end(visiting)
            raise
        except Exception as fault:
            _log.exception("Could not answer a request", extra={"request_id": visiting.request_id})
            if visiting.first_byte_ns:
                raise
            visiting.error = type(fault).__name__
            self._refuse(visiting, Refusal(reason=Reason.INTERNAL, detail="internal error"))
        finally:
            self._leave(visiting)

    def _opened(self, head: RequestHead) -> ResolvedHead:
        """A head that has not been seen before, understood: it is remembered with it."""
        opening = head.opening = ResolvedHead(head, self._doorman)
        opening.page = opening.turned_away is None and head.method in _READING and self._pages.has(head.path)
        return opening

    def _tell(self, visitor: ServerRequest, opening: ResolvedHead) -> None:
        """One of the gateway's own pages. They are asked for all the time, so they are not logged."""
        page = self._pages.find(visitor.head.path)
        assert page is not None
        told = headers.lines([("Content-Type", page.content_type), *opening.cors.items()])
        visitor.back.whole(page.status, told, page.body)

    def refuse(self, visitor: ServerRequest, wrong: Exception) -> None:
        """Answer a request that a door does not let in. `wrong` is of those that `request.ServerRequest.read` raises."""
        opening = visitor.head.opening or self._opened(visitor.head)
        visiting = RequestContext(visitor, opening, opening.request_id or self._ids.new())
        try:
            self._refuse(visiting, refusals.of_caller(wrong))
        finally:
            self._leave(visiting)

    def _end(self, visiting: RequestContext) -> None:
        """The caller left, or nobody waits for the answer any longer."""
        back = visiting.visitor.back
        visiting.error = visiting.error or back.why
        if not back.ending:
            visiting.status = _GONE
        elif not back.begun:
            self._refuse(visiting, Refusal(reason=Reason.UNAVAILABLE, detail=back.why, retry_after_s=refusals.SOON_S))

    async def _answer(self, visiting: RequestContext) -> None:
        """What is no call for an engine, or not let in."""
        opening = visiting.opening
        if opening.turned_away is not None:
            relay.answer(visiting, opening.turned_away)
            return
        match opening.call:
            case Refusal() as refusal:
                self._refuse(visiting, refusal)
            case Call(kind=Kind.ADMIN) as call:
                await self._administration.serve(visiting, call)
            case Call() as call:
                await self._catalogue(visiting, call)

    async def _catalogue(self, visiting: RequestContext, call: Call) -> None:
        asked = call.argument
        if call.operation is Operation.SHOW_MODEL and call.dialect is Dialect.OLLAMA:
            body = await visiting.visitor.read()
            asked = (await self._bodies.read_head(body, call.dialect, call.operation)).model
        told = self._told.answer(call, self._directory.table, asked, epoch_ns=visiting.epoch_ns)
        if isinstance(told, Refusal):
            self._refuse(visiting, told)
        else:
            relay.answer(visiting, told)

    def _refuse(self, visiting: RequestContext, refusal: Refusal) -> None:
        visiting.error = visiting.error or refusal.detail or refusal.reason.value[1]
        relay.answer(visiting, errors.render(refusal, visiting.dialect))

    def _leave(self, visiting: RequestContext) -> None:
        started_ns = visiting.started_ns
        visiting.ended_ns = ended_ns = time.monotonic_ns()
        if visiting.backend:
            first_ns = visiting.first_byte_ns
            first_byte_ns = first_ns - started_ns if first_ns else -1
            self._ledger(visiting).enter(ended_ns - started_ns, first_byte_ns, visiting.queue_ns)
        else:
            self._metrics.requests.of[_labels(visiting)].inc()
        self._access.write(visiting.record())

    def _ledger(self, visiting: RequestContext) -> RequestSeries:
        """Where a request that came to an engine is entered: most often where the model's last one was."""
        tally = visiting.tally
        if tally is not None:
            known = tally.ledger
            if (
                isinstance(known, RequestSeries)
                and known.code is _CODES[visiting.status]
                and known.backend is visiting.backend
                and known.route is visiting.route
                and known.dialect is visiting.dialect._value_
            ):
                return known
        ledger = self._metrics.ledgers[_labels(visiting)]
        if tally is not None:
            tally.ledger = ledger
        return ledger


def _labels(visiting: RequestContext) -> tuple[str, ...]:
    return (
        visiting.pool, visiting.model, visiting.backend,
        visiting.dialect._value_, _CODES[visiting.status], visiting.route,
    )  # fmt: skip
