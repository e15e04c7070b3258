"""One attempt: a request to one engine, and its answer to the caller, or AttemptFailed while nothing has been sent."""

from typing import Final

import msgspec

from ..dialects import errors
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
from ..routing.choose import Target
from ..routing.health import Failure
from . import attempt_failed, forwarded_headers, model_renaming, relay, transforms
from .attempt_failed import BUSY, ENGINE_BUSY, AttemptFailed
from .context import RequestContext
from .conversion import Conversion
from .relay import Whole
from .request_bodies import RequestBodies

SPOOL_BYTES: Final = 1024 * 1024
"""A document is held back up to this size, so that an engine that dies in its middle costs no request."""
_JSON: Final = "application/json"
_LINES: Final = "application/x-ndjson"
_EVENTS: Final = "text/event-stream"


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
        try:
            if isinstance(way, Native):
                return await self._native(way.path, upstream, bodies)
            if isinstance(way, Translated):
                conversion = Conversion(
                    self.context, self.call, self.body, self.target, self.profile, self.bounds, way.call
                )
                return await conversion.run(upstream, bodies)
        except NobodyThere as refused:
            raise AttemptFailed(Failure.REFUSED, str(refused)) from refused
        except ConnectFailed as unreached:
            raise AttemptFailed(Failure.UNREACHED, str(unreached)) from unreached
        except (ClosedBeforeFirstByte, BrokenMidStream) as broken:
            raise AttemptFailed(Failure.CLOSED, str(broken)) from broken
        except OutOfResources as short:
            raise attempt_failed.short(short, self.call) from short
        except EngineError as fault:
            words = errors.render(Refusal.of(fault), self.call.dialect)
            raise AttemptFailed(self.profile.failure_in(fault.message), fault.message, relay.written(words)) from fault
        unsupported = errors.render(Refusal(reason=Reason.UNSUPPORTED, detail=way.message), self.call.dialect)
        relay.answer(self.context, unsupported)
        return None

    async def _native(self, path: str, upstream: ConnectionPool, bodies: RequestBodies) -> Failure | None:
        response = await upstream.open(self.target.url, await self._native_request(path, bodies))
        try:
            return await self._untouched(response)
        finally:
            response.release()

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

    async def _untouched(self, response: ClientConnection) -> Failure | None:
        """The engine speaks the caller's dialect."""
        head = response.head
        speaks_lines = self.context.resolved.speaks_lines
        if head.status == 200 and head.kind == (_LINES if speaks_lines else _EVENTS):
            transform = transforms.Passthrough(
                self.call.dialect,
                self.target.engine_model,
                self.body.facts.model,
                self.bounds,
                framed=response.framed,
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
        if head.status in BUSY and headers.first(head.headers, "Retry-After") is None:
            lines += ENGINE_BUSY
        answer = Whole(status=head.status, lines=lines, body=body)
        attempt_failed.pass_on(self.context, self.call, self.target, self.profile, head.status, answer, body)
        return None


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True
