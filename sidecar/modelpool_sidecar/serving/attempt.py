"""One attempt: a request to one engine, and its answer to the caller, or AttemptFailed while nothing has been sent."""

import time
from typing import Final

import msgspec

from ..dialects import errors
from ..dialects.answer import OLLAMA_LINES, Answer
from ..dialects.bodies import BodyFacts
from ..dialects.bounds import Bounds
from ..dialects.calls import Call, Native, Translated
from ..dialects.errors import EngineError, Reason, Refusal
from ..dialects.model_field import replace_model
from ..dialects.unpulled import says_unpulled
from ..http import headers
from ..http.client.response import (
    BrokenMidStream,
    Client,
    ClientRequest,
    ClientResponse,
    ClosedBeforeFirstByte,
    ConnectFailed,
    NobodyThere,
    OutOfResources,
)
from ..http.headers import Headers
from ..routing.choose import Target
from ..routing.documents import Engine
from ..routing.urls import shown
from ..translation import Backend, Exchange, Timings, Translation, translate
from ..translation.engine_errors import ENGINE_REFUSED_KEY
from . import model_renaming, refusals, relay, transforms, translating
from .context import RequestContext
from .failures import Failure
from .model_renaming import Naming
from .relay import Whole
from .request_bodies import RequestBodies

SPOOL_BYTES: Final = 1024 * 1024
"""A document is held back up to this size, so that an engine that dies in its middle costs no request."""
_SERVER_ERRORS: Final = frozenset({500, 502, 504})
_BUSY: Final = frozenset({429, 503})
_UNAUTHORIZED: Final = 401
_DIED: Final = ("EngineCore", "EngineDead")
"""What vLLM's server names when the process that does the work has died."""
_ENGINE_BUSY: Final = b"Retry-After: 2\r\n"
_VLLM: Final = Engine.VLLM
_JSON: Final = "application/json"
_LINES: Final = "application/x-ndjson"
_EVENTS: Final = "text/event-stream"
_OLLAMA_TOLD: Final = headers.lines([("Content-Type", OLLAMA_LINES)])


class AttemptFailed(Exception):  # noqa: N818
    """The engine gave nothing that the caller has seen. `answer` is what to say if no other engine can help."""

    def __init__(self, kind: Failure, message: str, answer: Whole | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.answer = answer


class Attempt:
    """What is tried where. Read-only."""

    __slots__ = ("body", "bounds", "call", "head", "light", "target", "visit")

    def __init__(
        self,
        visit: RequestContext,
        call: Call,
        head: BodyFacts,
        body: bytes,
        target: Target,
        bounds: Bounds,
        light: bool,
    ) -> None:
        """`light`: see `RequestBodies.is_light`."""
        self.visit = visit
        self.call = call
        self.head = head
        self.body = body
        self.target = target
        self.bounds = bounds
        self.light = light

    async def run(self, upstream: Client, bodies: RequestBodies) -> Failure | None:
        """Answer the caller. Raises AttemptFailed, and BadRequestError when the call cannot be put to this engine.

        Every way in which nothing comes is an AttemptFailed; how an answer failed that had begun is returned.
        """
        way = self.visit.opening.ways[self.target.engine._value_]
        exchange: Exchange | None = None
        if isinstance(way, Native):
            request = await self._native_request(way.path, bodies)
        elif isinstance(way, Translated):
            made = await self._translated(way.call, bodies)
            if isinstance(made, Answer):
                relay.answer(self.visit, made)
                return None
            exchange = made
            request = self._translated_request(made)
        else:
            words = errors.render(Refusal(reason=Reason.UNSUPPORTED, detail=way.message), self.call.dialect)
            relay.answer(self.visit, words)
            return None
        dispatched_ns = time.monotonic_ns() if exchange is not None else 0
        try:
            response = await upstream.open(self.target.url, request)
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
            kind = Failure.DIED if _has_died(fault.message) else Failure.FAULT
            raise AttemptFailed(kind, fault.message, relay.written(words)) from fault
        finally:
            response.release()

    def _short(self, short: OutOfResources) -> AttemptFailed:
        refusal = Refusal(reason=Reason.BUSY, detail=refusals.SHORT, retry_after_s=refusals.SOON_S)
        return AttemptFailed(Failure.SHORTAGE, str(short), relay.written(errors.render(refusal, self.call.dialect)))

    async def _native_request(self, path: str, bodies: RequestBodies) -> ClientRequest:
        visit, target, body = self.visit, self.target, self.body
        # Ollama's decoder takes `MODEL` for `model` too: it always gets one name.
        if self.head.model != target.engine_model or target.engine is not _VLLM:
            name = target.engine_model
            body = replace_model(body, name) if self.light else await bodies.renamed(body, name)
        return ClientRequest(
            method=self.call.method,
            path=path,  # without the query: no engine reads one in these calls, and callers put keys into it
            lines=visit.opening.for_engine(json=False) + visit.id_line + target.authorization,
            body=body,
            behalf=visit,
        )

    async def _translated(self, translation: Translation, bodies: RequestBodies) -> Exchange | Answer:
        backend = Backend(
            model=self.target.engine_model,
            context_length=self.target.model.entry.context_length,
            capabilities=self.target.backend.capabilities,
        )
        if self.light:
            return translate(translation, self.body, backend, epoch_ns=self.visit.epoch_ns)
        return await bodies.translated(translation, self.body, backend, epoch_ns=self.visit.epoch_ns)

    def _translated_request(self, made: Exchange) -> ClientRequest:
        self.visit.warnings = made.warnings
        return ClientRequest(
            method="POST",
            path=made.path,
            lines=self.visit.opening.for_engine(json=True) + self.visit.id_line + self.target.authorization,
            body=made.body,
            behalf=self.visit,
        )

    async def _untouched(self, response: ClientResponse) -> Failure | None:
        """The engine speaks the caller's dialect."""
        head = response.head
        speaks_lines = self.visit.opening.speaks_lines
        if head.status == 200 and head.kind == (_LINES if speaks_lines else _EVENTS):
            carrier = transforms.Passthrough(self.call.dialect, self._naming, self.bounds)
            # Ollama's clients read the error line, and the API ends such a stream properly; of events nobody must.
            return await relay.stream(self.visit, response, carrier, cut_off=not speaks_lines)
        body = response.taken() if response.whole else await response.read(SPOOL_BYTES)
        if not response.whole:
            delimited = head.status == 200 and head.kind == _JSON and not response.framed
            return await relay.stream(self.visit, response, transforms.Opaque(delimited=delimited), begun=body)
        if head.status == 200:
            if not response.framed and head.kind == _JSON and not _is_json(body):
                raise BrokenMidStream("the engine's answer broke off")
            body = model_renaming.whole(body, self.target.engine_model, self.head.model)
            relay.whole(self.visit, Whole(status=200, lines=head.lines, body=body))
            return None
        lines = head.lines
        if head.status in _BUSY and headers.first(head.headers, "Retry-After") is None:
            lines += _ENGINE_BUSY
        self._pass_on(head.status, Whole(status=head.status, lines=lines, body=body), body)
        return None

    async def _converted(self, response: ClientResponse, made: Exchange, dispatched_ns: int) -> Failure | None:
        """vLLM answers an Ollama caller."""
        visit = self.visit
        timings = Timings(epoch_ns=visit.epoch_ns, started_ns=visit.started_ns, dispatched_ns=dispatched_ns)
        reply = made.open(timings, self.bounds)
        status = response.head.status
        if status != 200:
            said = await response.read(SPOOL_BYTES)
            words = relay.written(reply.refused(status, said))
            lines = words.lines + _retry(response.head.headers) if words.status in _BUSY else words.lines
            self._pass_on(status, Whole(status=words.status, lines=lines, body=words.body), said)
            return None
        if made.stream:
            carrier = translating.Translating(reply, time.monotonic_ns, self.bounds)
            return await relay.stream(self.visit, response, carrier, told=_OLLAMA_TOLD, cut_off=False)
        gathering = translating.Gathering(reply, time.monotonic_ns, self.bounds)
        try:
            await response.pour(gathering)
            relay.answer(self.visit, reply.answer(time.monotonic_ns()))
        finally:
            gathering.close()
        return None

    def _pass_on(self, status: int, answer: Whole, said: bytes) -> None:
        """Pass an answer on that is none of 200, unless another engine should be asked. `said`: the engine's body."""
        engine = self.target.engine
        if status == _UNAUTHORIZED and engine is _VLLM:  # it asks for the gateway's key, and for none of callers
            refusal = Refusal(reason=Reason.ENGINE_FAILED, detail=ENGINE_REFUSED_KEY)
            told = relay.written(errors.render(refusal, self.call.dialect))
            raise AttemptFailed(Failure.UNAUTHORIZED, f"{shown(self.target.url)} refused the gateway's key", told)
        if status in _BUSY:
            raise AttemptFailed(Failure.BUSY, f"{shown(self.target.url)} answered {status}", answer)
        if status in _SERVER_ERRORS and engine is _VLLM:
            kind = Failure.DIED if _has_died(said.decode(errors="replace")) else Failure.STATUS
            raise AttemptFailed(kind, f"{shown(self.target.url)} answered {status}", answer)
        if status == 404 and engine is Engine.OLLAMA and says_unpulled(said):
            raise AttemptFailed(Failure.NOT_PULLED, f"Ollama does not hold model {self.target.engine_model!r}")
        relay.whole(self.visit, answer)

    @property
    def _naming(self) -> Naming:
        return Naming(engine=self.target.engine_model, caller=self.head.model)


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


def _has_died(message: str) -> bool:
    return any(name in message for name in _DIED)
