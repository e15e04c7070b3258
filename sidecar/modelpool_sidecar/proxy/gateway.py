"""The door: every request comes in here, is told what it is, and leaves one line in the log.

Errors of all rooms are turned into words here and nowhere else.
"""

import asyncio
import dataclasses
import logging
import time

from aiohttp import web

from ..protocols import errors, paths, requests
from ..protocols.answer import Answer
from ..protocols.dialect import Dialect, Operation
from ..protocols.errors import BadRequestError, Reason, Refusal
from ..protocols.origins import Doorman
from ..protocols.paths import Call, Kind
from ..routing.callers import caller_of
from ..telemetry.logs import AccessLog
from ..telemetry.metrics import Metrics
from . import catalogue, headers, sending, visit
from .administration import Administration
from .directory import Directory
from .inference import Inference
from .pages import Pages
from .visit import Visit

_GONE = 499
"""The caller left before the answer was whole: never sent, only counted."""

_log = logging.getLogger(__name__)


class Gateway:
    """Handles requests. One per process."""

    def __init__(
        self,
        *,
        directory: Directory,
        inference: Inference,
        administration: Administration,
        pages: Pages,
        metrics: Metrics,
        access: AccessLog,
        doorman: Doorman,
    ) -> None:
        self._directory = directory
        self._inference = inference
        self._administration = administration
        self._pages = pages
        self._metrics = metrics
        self._access = access
        self._doorman = doorman

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if request.method in ("GET", "HEAD") and (page := self._pages.find(request.path)) is not None:
            return web.Response(status=page.status, body=page.body, headers={"Content-Type": page.content_type})
        visiting = Visit(
            request=request,
            request_id=visit.request_id(request.headers.get(headers.REQUEST_ID)),
            dialect=paths.dialect_of(request.path),
            caller=caller_of(request.headers),
        )
        try:
            return await self._answer(visiting)
        except (asyncio.CancelledError, ConnectionError):
            visiting.status, visiting.error = _GONE, visiting.error or "the caller left"
            raise
        except Exception as error:
            _log.exception("Could not answer a request", extra={"request_id": visiting.request_id})
            if visiting.first_byte_ns is not None:
                raise
            visiting.error = type(error).__name__
            return await self._refuse(visiting, Refusal(reason=Reason.INTERNAL, detail="internal error"))
        finally:
            self._leave(visiting)

    async def _answer(self, visiting: Visit) -> web.StreamResponse:
        headers_in = visiting.request.headers
        let_in = self._doorman.check(visiting.request.method, headers_in)
        if isinstance(let_in, Answer):
            return await sending.answer(visiting, let_in)
        visiting.cors = let_in
        try:
            match paths.resolve(visiting.request.method, visiting.request.path):
                case Refusal() as refusal:
                    pass
                case Call(kind=Kind.CATALOG, dialect=Dialect.OPENAI) as call if paths.ANTHROPIC_HEADER in headers_in:
                    return await self._call(visiting, dataclasses.replace(call, dialect=Dialect.ANTHROPIC))
                case call:
                    return await self._call(visiting, call)
        except BadRequestError as error:
            refusal = Refusal.of(error)
        except web.HTTPRequestEntityTooLarge as error:
            refusal = Refusal(reason=Reason.TOO_LARGE, detail=error.text or "the request body is too large")
        return await self._refuse(visiting, refusal)

    async def _call(self, visiting: Visit, call: Call) -> web.StreamResponse:
        visiting.dialect = call.dialect
        match call.kind:
            case Kind.INFERENCE:
                return await self._inference.serve(visiting, call, await visiting.request.read())
            case Kind.ADMIN:
                return await self._administration.serve(visiting, call)
            case Kind.CATALOG:
                return await self._catalogue(visiting, call)

    async def _catalogue(self, visiting: Visit, call: Call) -> web.StreamResponse:
        asked = call.argument
        if call.operation is Operation.SHOW_MODEL and call.dialect is Dialect.OLLAMA:
            asked = requests.read_head(await visiting.request.read(), call.dialect, call.operation).model
        told = catalogue.told(call, self._directory.table, asked, epoch_ns=visiting.epoch_ns)
        if isinstance(told, Refusal):
            return await self._refuse(visiting, told)
        return await sending.answer(visiting, told)

    async def _refuse(self, visiting: Visit, refusal: Refusal) -> web.StreamResponse:
        visiting.error = visiting.error or refusal.detail or refusal.reason.value[1]
        return await sending.answer(visiting, errors.render(refusal, visiting.dialect))

    def _leave(self, visiting: Visit) -> None:
        labels = (visiting.pool, visiting.model, visiting.backend)
        self._metrics.requests(*labels, visiting.dialect.value, str(visiting.status), visiting.route).inc()
        if visiting.backend:
            self._metrics.duration(*labels).observe((time.monotonic_ns() - visiting.started_ns) / 1e9)
            if visiting.first_byte_ns is not None:
                waited = (visiting.first_byte_ns - visiting.started_ns) / 1e9
                self._metrics.first_byte(*labels).observe(waited)
        self._access.write(visiting.record())
