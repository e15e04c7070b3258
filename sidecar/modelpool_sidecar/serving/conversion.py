"""A call of Ollama's API put to vLLM, and vLLM's answer to the caller of Ollama's API.

A call that vLLM refuses for its length is put to the same engine again, in a form that fits: the refusal comes before
anything is generated, and blames nobody. Requests that fit pay nothing for it.
"""

import time
from functools import partial
from typing import Final

from ..dialects.answer import OLLAMA_LINES, Answer
from ..dialects.bodies import RequestBody
from ..dialects.bounds import Bounds
from ..dialects.calls import Call
from ..engines.profile import Profile
from ..http import headers
from ..http.client.connection import ClientConnection
from ..http.client.pool import ConnectionPool
from ..http.client.request_sender import ClientRequest
from ..routing.choose import Target
from ..routing.health import Failure
from ..translation import Backend, Exchange, Fitting, Timings, Translation, translate
from ..translation.fitting import TOKENIZE, Count
from ..translation.stopping_reply import StoppingReply
from . import attempt_failed, relay, translating
from .context import RequestContext
from .relay import Whole
from .request_bodies import RequestBodies

REFUSAL_BYTES: Final = 1024 * 1024
"""What is read of an error, and of a count: that lists all the tokens."""
_COUNT_BYTES: Final = 32 * 1024 * 1024
_REFUSED: Final = 400
_FITTED: Final = frozenset({Translation.CHAT, Translation.GENERATE})
_OLLAMA_LINES: Final = headers.lines([("Content-Type", OLLAMA_LINES)])


class Conversion:
    """What is put to which engine. Read-only."""

    __slots__ = ("_body", "_bounds", "_call", "_context", "_profile", "_target", "_translation")

    def __init__(
        self,
        context: RequestContext,
        call: Call,
        body: RequestBody,
        target: Target,
        profile: Profile,
        bounds: Bounds,
        translation: Translation,
    ) -> None:
        self._context = context
        self._call = call
        self._body = body
        self._target = target
        self._profile = profile
        self._bounds = bounds
        self._translation = translation

    async def run(self, upstream: ConnectionPool, bodies: RequestBodies) -> Failure | None:
        """As `Attempt.run`, which makes an AttemptFailed of what the engine's connection raises."""
        backend = Backend(
            model=self._target.engine_model,
            context_length=self._target.model.entry.context_length,
            capabilities=self._target.backend.capabilities,
            parameters=self._target.model.parameters,
        )
        made: Exchange | Answer | None
        if self._body.light:
            made = translate(self._translation, self._body.content, backend, epoch_ns=self._context.epoch_ns)
        else:
            made = await bodies.translated(self._translation, self._body, backend, epoch_ns=self._context.epoch_ns)
        fitting: Fitting | None = None
        while isinstance(made, Exchange):
            self._context.warnings = made.warnings
            dispatched_ns = time.monotonic_ns()
            response = await upstream.open(self._target.url, self._request(made.path, made.body))
            try:
                if response.head.status != _REFUSED or self._translation not in _FITTED:
                    return await self._converted(response, made, dispatched_ns)
                said = await response.read(REFUSAL_BYTES)
            finally:
                response.release()
            if fitting is None:
                made_of = partial(Fitting, self._translation, self._body.content, backend)
                fitting = await bodies.worked(self._body, made_of)
            again = await self._fitted(fitting, said, upstream, bodies)
            if again is None:
                self._refused(made, _REFUSED, said)
                return None
            made = again
        assert isinstance(made, Answer)
        relay.answer(self._context, made)
        return None

    async def _fitted(
        self, fitting: Fitting, said: bytes, upstream: ConnectionPool, bodies: RequestBodies
    ) -> Exchange | Answer | None:
        """What to do after a refusal: an answer for the caller, another call, or nothing but to pass it on."""
        step = await bodies.worked(self._body, partial(fitting.refused, said))
        while isinstance(step, Count):
            response = await upstream.open(self._target.url, self._request(TOKENIZE, step.body))
            try:
                status, counted = response.head.status, await response.read(_COUNT_BYTES)
            finally:
                response.release()
            step = await bodies.worked(self._body, partial(fitting.counted, status, counted))
        if isinstance(step, Exchange):
            self._context.refitted("shortened" if fitting.shortened else "unbounded")
        return step

    def _request(self, path: str, body: bytes) -> ClientRequest:
        return ClientRequest(
            method="POST",
            path=path,
            lines=self._context.resolved.json_headers + self._context.id_line + self._target.authorization,
            body=body,
            behalf=self._context,
        )

    async def _converted(self, response: ClientConnection, made: Exchange, dispatched_ns: int) -> Failure | None:
        """Give the answer to the caller."""
        context = self._context
        status = response.head.status
        if status != 200:
            said = await response.read(REFUSAL_BYTES)
            lines = attempt_failed.retry(response.head.headers)
            self._refused(made, status, said, lines)
            return None
        timings = Timings(epoch_ns=context.epoch_ns, started_ns=context.started_ns, dispatched_ns=dispatched_ns)
        reply = made.open(timings, self._bounds)
        try:
            if made.stream:
                transform = translating.Translating(reply, time.monotonic_ns, self._bounds)
                return await relay.stream(context, response, transform, lines=_OLLAMA_LINES, cut_off=False)
            gathering = translating.Gathering(reply, time.monotonic_ns, self._bounds)
            try:
                await response.pour(gathering)
                relay.answer(context, reply.answer(time.monotonic_ns()))
            finally:
                gathering.close()
            return None
        finally:
            if isinstance(reply, StoppingReply) and reply.cut_short:
                response.abort()  # else it would go on with what nobody reads

    def _refused(self, made: Exchange, status: int, said: bytes, busy: bytes = b"") -> None:
        """Pass an error on in Ollama's words, or raise AttemptFailed. `busy`: header lines for one that passes."""
        context = self._context
        timings = Timings(epoch_ns=context.epoch_ns, started_ns=context.started_ns, dispatched_ns=context.started_ns)
        words = relay.written(made.open(timings, self._bounds).refused(status, said))
        lines = words.lines + busy if words.status in attempt_failed.BUSY else words.lines
        answer = Whole(status=words.status, lines=lines, body=words.body)
        attempt_failed.pass_on(context, self._call, self._target, self._profile, status, answer, said)
