"""The door: every request comes in here, is told what it is, and leaves one line in the log.

Errors of all rooms are turned into words here and nowhere else.
"""

import asyncio
import dataclasses
import logging
import time

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
from .visitor import TooLargeError, Visitor

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

    async def handle(self, visitor: Visitor) -> None:
        """Answer one request."""
        if visitor.method in ("GET", "HEAD") and (page := self._pages.find(visitor.path)) is not None:
            visitor.back.whole(page.status, [("Content-Type", page.content_type)], page.body)
            return
        visiting = Visit(
            visitor=visitor,
            request_id=visit.request_id(visitor.headers.get(headers.REQUEST_ID)),
            dialect=paths.dialect_of(visitor.path),
            caller=caller_of(visitor.headers),
        )
        try:
            await self._answer(visiting)
        except (asyncio.CancelledError, ConnectionError):
            visiting.status, visiting.error = _GONE, visiting.error or "the caller left"
            raise
        except Exception as error:
            _log.exception("Could not answer a request", extra={"request_id": visiting.request_id})
            if visiting.first_byte_ns is not None:
                raise
            visiting.error = type(error).__name__
            self._refuse(visiting, Refusal(reason=Reason.INTERNAL, detail="internal error"))
        finally:
            self._leave(visiting)

    async def _answer(self, visiting: Visit) -> None:
        headers_in = visiting.visitor.headers
        let_in = self._doorman.check(visiting.visitor.method, headers_in)
        if isinstance(let_in, Answer):
            sending.answer(visiting, let_in)
            return
        visiting.cors = let_in
        try:
            match paths.resolve(visiting.visitor.method, visiting.visitor.path):
                case Refusal() as refusal:
                    self._refuse(visiting, refusal)
                case Call(kind=Kind.CATALOG, dialect=Dialect.OPENAI) as call if paths.ANTHROPIC_HEADER in headers_in:
                    await self._call(visiting, dataclasses.replace(call, dialect=Dialect.ANTHROPIC))
                case call:
                    await self._call(visiting, call)
        except BadRequestError as error:
            self._refuse(visiting, Refusal.of(error))
        except TooLargeError as error:
            self._refuse(visiting, Refusal(reason=Reason.TOO_LARGE, detail=str(error)))

    async def _call(self, visiting: Visit, call: Call) -> None:
        visiting.dialect = call.dialect
        match call.kind:
            case Kind.INFERENCE:
                await self._inference.serve(visiting, call, await visiting.visitor.read())
            case Kind.ADMIN:
                await self._administration.serve(visiting, call)
            case Kind.CATALOG:
                await self._catalogue(visiting, call)

    async def _catalogue(self, visiting: Visit, call: Call) -> None:
        asked = call.argument
        if call.operation is Operation.SHOW_MODEL and call.dialect is Dialect.OLLAMA:
            asked = requests.read_head(await visiting.visitor.read(), call.dialect, call.operation).model
        told = catalogue.told(call, self._directory.table, asked, epoch_ns=visiting.epoch_ns)
        if isinstance(told, Refusal):
            self._refuse(visiting, told)
        else:
            sending.answer(visiting, told)

    def _refuse(self, visiting: Visit, refusal: Refusal) -> None:
        visiting.error = visiting.error or refusal.detail or refusal.reason.value[1]
        sending.answer(visiting, errors.render(refusal, visiting.dialect))

    def _leave(self, visiting: Visit) -> None:
        labels = (visiting.pool, visiting.model, visiting.backend)
        self._metrics.requests(*labels, visiting.dialect.value, str(visiting.status), visiting.route).inc()
        if visiting.backend:
            self._metrics.duration(*labels).observe((time.monotonic_ns() - visiting.started_ns) / 1e9)
            if visiting.first_byte_ns is not None:
                waited = (visiting.first_byte_ns - visiting.started_ns) / 1e9
                self._metrics.first_byte(*labels).observe(waited)
        self._access.write(visiting.record())
