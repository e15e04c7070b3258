"""One attempt: a request to one engine, and its answer to the caller, or AttemptFailed while nothing has been sent."""

import time
from typing import Final

import msgspec

from ..dialects import errors
from ..dialects.answer import OLLAMA_LINES, Answer
from ..dialects.bodies import RequestBody
from ..dialects.bounds import Bounds
from ..dialects.calls import Call
from ..dialects.errors import EngineError, Reason, Refusal
from ..engines.profile import Native, Profile, Translated
from ..http import headers
from ..http.client.connection import ClientConnection
from ..http.client.errors import BrokenMidStream, ClosedBeforeFirstByte, ConnectFailed, NobodyThere, OutOfResources
from ..http.client.pool import ConnectionPool
from ..http.client.request_sender import ClientRequest
from ..http.headers import Headers
from ..http.urls import shown
from ..routing.choose import Target
from ..routing.health import Failure
from ..translation import Backend, Exchange, Timings, Translation, translate
from ..translation.engine_errors import ENGINE_REFUSED_KEY
from . import forwarded_headers, model_renaming, refusals, relay, transforms, translating
from .context import RequestContext
from .relay import Whole
from .request_bodies import RequestBodies

SPOOL_BYTES: Final = 1024 * 1024
"""A document is held back up to this size, so that an engine that dies in its middle costs no request."""
_BUSY: Final = frozenset({429, 503})
_ENGINE_BUSY: Final = b"Retry-After: 2\r\n"
_JSON: Final = "application/json"
_LINES: Final = "application/x-ndjson"
_EVENTS: Final = "text/event-stream"
_OLLAMA_LINES: Final = headers.lines([("Content-Type", OLLAMA_LINES)])


class AttemptFailed(Exception):  # noqa: N818
    """The engine gave nothing that the caller has seen. `answer` is what to say if no other engine can help."""

    def __init__(self, kind: Failure, message: str, answer: Whole | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.answer = answer


class Attempt:
    """What is tried where. Read-only."""

    __slots__ = ("body", "bounds", "call", "context", "profile", "target")

    def __init__(
        self,
        context: RequestContext,
        call: Call,
        body: RequestBody,
        target: Target,
        profile: Profile,
        bounds: Bounds,
    ) -> None:
        self.context = context
        self.call = call
        self.body = body
        self.target = target
        self.profile = profile
        self.bounds = bounds

    async def run(self, upstream: ConnectionPool, bodies: RequestBodies) -> Failure | None:
        """Answer the caller. Raises AttemptFailed, and BadRequestError when the call cannot be put to this engine.

        Every way in which nothing comes is an AttemptFailed; how an answer failed that had begun is returned.
        """
        way = self.context.resolved.ways[self.target.engine]
        exchange: Exchange | None = None
        if isinstance(way, Native):
            outgoing = await self._native_request(way.path, bodies)
        elif isinstance(way, Translated):
            made = await self._translated(way.call, bodies)
            if isinstance(made, Answer):
                relay.answer(self.context, made)
                return None
            exchange = made
            outgoing = self._translated_request(made)
        else:
            words = errors.render(Refusal(reason=Reason.UNSUPPORTED, detail=way.message), self.call.dialect)
            relay.answer(self.context, words)
            return None
        dispatched_ns = time.monotonic_ns() if exchange is not None else 0
        try:
            response = await upstream.open(self.target.url, outgoing)
        except NobodyThere as refused:
            raise AttemptFailed(Failure.REFUSED, str(refused)) from refused
        except ConnectFailed as unreached:
            raise AttemptFailed(Failure.UNREACHED, str(unreached)) from unreached
        except ClosedBeforeFirstByte as closed:
            raise AttemptFailed(Failure.CLOSED, str(closed)) from closed
        except OutOfResources as short:
            raise self._short(short) from short
        try:
            if exchange is None:
                return await self._untouched(response)
            return await self._converted(response, exchange, dispatched_ns)
        except BrokenMidStream as broken:
            raise AttemptFailed(Failure.CLOSED, str(broken)) from broken
        except OutOfResources as short:
            raise self._short(short) from short
        except EngineError as fault:
            words = errors.render(Refusal.of(fault), self.call.dialect)
            raise AttemptFailed(self.profile.failure_in(fault.message), fault.message, relay.written(words)) from fault
        finally:
            response.release()

    def _short(self, short: OutOfResources) -> AttemptFailed:
        refusal = Refusal(reason=Reason.BUSY, detail=refusals.SHORT, retry_after_s=refusals.SOON_S)
        return AttemptFailed(Failure.SHORTAGE, str(short), relay.written(errors.render(refusal, self.call.dialect)))

    async def _native_request(self, path: str, bodies: RequestBodies) -> ClientRequest:
        context, target, body = self.context, self.target, self.body
        content = body.content
        if body.facts.model != target.engine_model or self.profile.reads_model_loosely:
            name = target.engine_model
            content = body.renamed(name) if body.light else await bodies.renamed(body, name)
        return ClientRequest(
            method=self.call.method,
            path=path,  # without the query: no engine reads one in these calls, and callers put keys into it
            lines=context.resolved.native_headers + context.id_line + target.authorization,
            body=content,
            behalf=context,
        )

    async def _translated(self, translation: Translation, bodies: RequestBodies) -> Exchange | Answer:
        backend = Backend(
            model=self.target.engine_model,
            context_length=self.target.model.entry.context_length,
            capabilities=self.target.backend.capabilities,
            parameters=self.target.model.parameters,
        )
        if self.body.light:
            return translate(translation, self.body.content, backend, epoch_ns=self.context.epoch_ns)
        return await bodies.translated(translation, self.body, backend, epoch_ns=self.context.epoch_ns)

    def _translated_request(self, made: Exchange) -> ClientRequest:
        self.context.warnings = made.warnings
        return ClientRequest(
            method="POST",
            path=made.path,
            lines=self.context.resolved.json_headers + self.context.id_line + self.target.authorization,
            body=made.body,
            behalf=self.context,
        )

    async def _untouched(self, response: ClientConnection) -> Failure | None:
        """The engine speaks the caller's dialect."""
        head = response.head
        speaks_lines = self.context.resolved.speaks_lines
        if head.status == 200 and head.kind == (_LINES if speaks_lines else _EVENTS):
            transform = transforms.Passthrough(
                self.call.dialect, self.target.engine_model, self.body.facts.model, self.bounds
            )
            # Ollama's clients read the error line, and the API ends such a stream properly; of events nobody must.
            return await relay.stream(self.context, response, transform, cut_off=not speaks_lines)
        body = response.taken() if response.whole else await response.read(SPOOL_BYTES)
        if not response.whole:
            delimited = head.status == 200 and head.kind == _JSON and not response.framed
            return await relay.stream(self.context, response, transforms.Opaque(delimited=delimited), begun=body)
        if head.status == 200:
            if not response.framed and head.kind == _JSON and not _is_json(body):
                raise BrokenMidStream("the engine's answer broke off")
            body = model_renaming.whole(body, self.target.engine_model, self.body.facts.model)
            relay.whole(self.context, Whole(status=200, lines=forwarded_headers.kept(head), body=body))
            return None
        lines = forwarded_headers.kept(head)
        if head.status in _BUSY and headers.first(head.headers, "Retry-After") is None:
            lines += _ENGINE_BUSY
        self._pass_on(head.status, Whole(status=head.status, lines=lines, body=body), body)
        return None

    async def _converted(self, response: ClientConnection, made: Exchange, dispatched_ns: int) -> Failure | None:
        """vLLM answers an Ollama caller."""
        context = self.context
        timings = Timings(epoch_ns=context.epoch_ns, started_ns=context.started_ns, dispatched_ns=dispatched_ns)
        reply = made.open(timings, self.bounds)
        status = response.head.status
        if status != 200:
            said = await response.read(SPOOL_BYTES)
            words = relay.written(reply.refused(status, said))
            lines = words.lines + _retry(response.head.headers) if words.status in _BUSY else words.lines
            self._pass_on(status, Whole(status=words.status, lines=lines, body=words.body), said)
            return None
        if made.stream:
            transform = translating.Translating(reply, time.monotonic_ns, self.bounds)
            return await relay.stream(self.context, response, transform, lines=_OLLAMA_LINES, cut_off=False)
        gathering = translating.Gathering(reply, time.monotonic_ns, self.bounds)
        try:
            await response.pour(gathering)
            relay.answer(self.context, reply.answer(time.monotonic_ns()))
        finally:
            gathering.close()
        return None

    def _pass_on(self, status: int, answer: Whole, said: bytes) -> None:
        """Pass an answer on that is none of 200, unless another engine should be asked. `said`: the engine's body."""
        failure = self.profile.failure_of(status, said)
        if failure is Failure.UNAUTHORIZED:
            refusal = Refusal(reason=Reason.ENGINE_FAILED, detail=ENGINE_REFUSED_KEY)
            words = relay.written(errors.render(refusal, self.call.dialect))
            raise AttemptFailed(failure, f"{shown(self.target.url)} refused the gateway's key", words)
        if failure is Failure.NOT_PULLED:
            raise AttemptFailed(failure, f"{self.profile.title} does not hold model {self.target.engine_model!r}")
        if failure is not None:
            raise AttemptFailed(failure, f"{shown(self.target.url)} answered {status}", answer)
        relay.whole(self.context, answer)


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _retry(given: Headers) -> bytes:
    """When to come again, as the engine says it; most that are busy do not."""
    after = headers.first(given, "Retry-After")
    return _ENGINE_BUSY if after is None else headers.lines([("Retry-After", after)])
