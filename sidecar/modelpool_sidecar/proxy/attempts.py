"""One attempt: a request to one engine, and its answer to the caller, or AttemptFailed while nothing has been sent."""

import time
from enum import StrEnum
from typing import Final

import msgspec

from ..protocols import errors
from ..protocols.answer import OLLAMA_LINES, Answer
from ..protocols.bounds import Bounds
from ..protocols.errors import EngineError, Reason, Refusal
from ..protocols.paths import Call, Native, Translated
from ..protocols.requests import RequestHead
from ..protocols.rewriting import replace_model
from ..protocols.translation import Backend, Exchange, Timings, Translation, translate
from ..routing.choose import Target
from ..routing.documents import Engine
from . import carriers, headers, refusals, renaming, sending
from .headers import Headers
from .renaming import Naming
from .sending import Whole
from .upstream import (
    BrokenMidStream,
    ClosedBeforeFirstByte,
    ConnectFailed,
    OutOfResources,
    Upstream,
    UpstreamRequest,
    UpstreamResponse,
)
from .visit import Visit

SPOOL_BYTES: Final = 1024 * 1024
"""A document is held back up to this size, so that an engine that dies in its middle costs no request."""
_SERVER_ERRORS: Final = frozenset({500, 502, 503, 504})
_ENGINE_BUSY: Final = b"Retry-After: 2\r\n"
_VLLM: Final = Engine.VLLM
_JSON: Final = "application/json"
_LINES: Final = "application/x-ndjson"
_EVENTS: Final = "text/event-stream"
_OLLAMA_TOLD: Final = headers.lines([("Content-Type", OLLAMA_LINES)])


class Failure(StrEnum):
    """How an attempt failed. A closed set: it labels a metric."""

    REFUSED = "refused"
    CLOSED = "closed"
    STATUS = "status"
    FAULT = "fault"
    NOT_PULLED = "not_pulled"
    SHORTAGE = "shortage"
    """The gateway's own, of descriptors, ports or memory."""


class AttemptFailed(Exception):  # noqa: N818
    """The engine gave nothing that the caller has seen. `answer` is what to say if no other engine can help."""

    def __init__(self, kind: Failure, message: str, answer: Whole | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.answer = answer


class Attempt:
    """What is tried where. Read-only."""

    __slots__ = ("body", "bounds", "call", "head", "target", "visit")

    def __init__(
        self, visit: Visit, call: Call, head: RequestHead, body: bytes, target: Target, bounds: Bounds
    ) -> None:
        self.visit = visit
        self.call = call
        self.head = head
        self.body = body
        self.target = target
        self.bounds = bounds

    async def run(self, upstream: Upstream) -> None:
        """Answer the caller. Raises AttemptFailed, and BadRequestError when the call cannot be put to this engine.

        Every way in which nothing comes is an AttemptFailed.
        """
        way = self.visit.opening.ways[self.target.engine._value_]
        exchange: Exchange | None = None
        if isinstance(way, Native):
            request = self._native_request(way.path)
        elif isinstance(way, Translated):
            made = self._translated(way.call)
            if isinstance(made, Answer):
                sending.answer(self.visit, made)
                return
            exchange = made
            request = self._translated_request(made)
        else:
            words = errors.render(Refusal(reason=Reason.UNSUPPORTED, detail=way.message), self.call.dialect)
            sending.answer(self.visit, words)
            return
        dispatched_ns = time.monotonic_ns() if exchange is not None else 0
        try:
            response = await upstream.open(self.target.url, request)
        except ConnectFailed as refused:
            raise AttemptFailed(Failure.REFUSED, str(refused)) from refused
        except ClosedBeforeFirstByte as closed:
            raise AttemptFailed(Failure.CLOSED, str(closed)) from closed
        except OutOfResources as short:
            raise self._short(short) from short
        try:
            if exchange is None:
                await self._untouched(response)
            else:
                await self._converted(response, exchange, dispatched_ns)
        except BrokenMidStream as broken:
            raise AttemptFailed(Failure.CLOSED, str(broken)) from broken
        except OutOfResources as short:
            raise self._short(short) from short
        except EngineError as fault:
            words = errors.render(Refusal.of(fault), self.call.dialect)
            raise AttemptFailed(Failure.FAULT, fault.message, sending.written(words)) from fault
        finally:
            response.release()

    def _short(self, short: OutOfResources) -> AttemptFailed:
        refusal = Refusal(reason=Reason.BUSY, detail=refusals.SHORT, retry_after_s=refusals.SOON_S)
        return AttemptFailed(Failure.SHORTAGE, str(short), sending.written(errors.render(refusal, self.call.dialect)))

    def _native_request(self, path: str) -> UpstreamRequest:
        visit, target = self.visit, self.target
        # Ollama's decoder takes `MODEL` for `model` too: it always gets one name.
        is_named = self.head.model == target.engine_model and target.engine is _VLLM
        return UpstreamRequest(
            method=self.call.method,
            path=path,  # without the query: no engine reads one in these calls, and callers put keys into it
            lines=visit.opening.for_engine(json=False) + visit.id_line,
            body=self.body if is_named else replace_model(self.body, target.engine_model),
        )

    def _translated(self, translation: Translation) -> Exchange | Answer:
        backend = Backend(
            model=self.target.engine_model,
            context_length=self.target.model.entry.context_length,
            capabilities=self.target.backend.capabilities,
        )
        return translate(translation, self.body, backend, epoch_ns=self.visit.epoch_ns)

    def _translated_request(self, made: Exchange) -> UpstreamRequest:
        self.visit.warnings = made.warnings
        return UpstreamRequest(
            method="POST",
            path=made.path,
            lines=self.visit.opening.for_engine(json=True) + self.visit.id_line,
            body=made.body,
        )

    async def _untouched(self, response: UpstreamResponse) -> None:
        """The engine speaks the caller's dialect."""
        head = response.head
        speaks_lines = self.visit.opening.speaks_lines
        if head.status == 200 and head.kind == (_LINES if speaks_lines else _EVENTS):
            carrier = carriers.Untouched(self.call.dialect, self._naming, self.bounds)
            # Ollama's clients read the error line, and the API ends such a stream properly; of events nobody must.
            await sending.stream(self.visit, response, carrier, cut_off=not speaks_lines)
            return
        body = response.taken() if response.whole else await response.read(SPOOL_BYTES)
        if not response.whole:
            delimited = head.status == 200 and head.kind == _JSON and not response.framed
            await sending.stream(self.visit, response, carriers.Opaque(delimited=delimited), begun=body)
            return
        if head.status == 200:
            if not response.framed and head.kind == _JSON and not _is_json(body):
                raise BrokenMidStream("the engine's answer broke off")
            body = renaming.whole(body, self.target.engine_model, self.head.model)
            sending.whole(self.visit, Whole(status=200, lines=head.lines, body=body))
            return
        answer = Whole(status=head.status, lines=_with_retry(head.status, head.headers, head.lines), body=body)
        self._check_status(head.status, answer)
        sending.whole(self.visit, answer)

    async def _converted(self, response: UpstreamResponse, made: Exchange, dispatched_ns: int) -> None:
        """vLLM answers an Ollama caller."""
        visit = self.visit
        timings = Timings(epoch_ns=visit.epoch_ns, started_ns=visit.started_ns, dispatched_ns=dispatched_ns)
        reply = made.open(timings, self.bounds)
        status = response.head.status
        if status != 200:
            words = reply.refused(status, await response.read(SPOOL_BYTES))
            plain = sending.written(words)
            lines = _with_retry(words.status, words.headers, plain.lines)
            answer = Whole(status=plain.status, lines=lines, body=plain.body)
            self._check_status(status, answer)
            sending.whole(self.visit, answer)
            return
        if made.stream:
            carrier = carriers.Converted(reply, time.monotonic_ns)
            await sending.stream(self.visit, response, carrier, told=_OLLAMA_TOLD, cut_off=False)
            return
        gathering = carriers.Gathering(reply, time.monotonic_ns, self.bounds)
        try:
            await response.pour(gathering)
            sending.answer(self.visit, reply.answer(time.monotonic_ns()))
        finally:
            gathering.close()

    def _check_status(self, status: int, answer: Whole) -> None:
        """Whether another engine should be asked instead of passing this answer on."""
        engine = self.target.engine
        if status in _SERVER_ERRORS and engine is _VLLM:
            raise AttemptFailed(Failure.STATUS, f"{self.target.url} answered {status}", answer)
        if status == 404 and engine is Engine.OLLAMA:
            raise AttemptFailed(Failure.NOT_PULLED, f"Ollama does not hold model {self.target.engine_model!r}")

    @property
    def _naming(self) -> Naming:
        return Naming(engine=self.target.engine_model, caller=self.head.model)


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _with_retry(status: int, given: Headers, lines: bytes) -> bytes:
    """An engine that is busy does not say for how long."""
    if status != 503 or headers.first(given, "Retry-After") is not None:
        return lines
    return lines + _ENGINE_BUSY
