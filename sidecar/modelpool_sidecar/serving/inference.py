"""Serving a call that needs a model: choose, try, and try elsewhere until the first byte is on its way.

The loop here is the whole promise of the gateway: as long as the caller has seen nothing, an engine that cannot be
reached, dies, drains or answers with a server's error costs an attempt and not the request.
"""

import time
from typing import Final

from ..dialects import errors
from ..dialects.bodies import read_body
from ..dialects.body_facts import BodyFacts
from ..dialects.bounds import Bounds
from ..dialects.calls import Call
from ..discovery.directory import Directory
from ..engines.registry import Profiles
from ..http.client.pool import ConnectionPool
from ..routing import health
from ..routing.health import Failure, Outcome
from ..routing.route_request import RouteRequest
from ..telemetry.events import Events
from . import refusals, relay
from .admission import Admission, Lease, Refused
from .attempt import Attempt
from .attempt_failed import AttemptFailed
from .context import RequestContext
from .relay import Whole
from .request_bodies import RequestBodies

_NOTHING: Final[frozenset[str]] = frozenset()


class Inference:
    """Carries calls to engines. One per gateway."""

    def __init__(
        self,
        directory: Directory,
        admission: Admission,
        upstream: ConnectionPool,
        events: Events,
        profiles: Profiles,
        bounds: Bounds,
        bodies: RequestBodies,
    ) -> None:
        """`bounds`: how much of engines' answers may be kept."""
        self._directory = directory
        self._breaks = directory.health.breaks
        self._bodies = bodies
        self._small_bytes = bodies.small_bytes
        self._admission = admission
        self._upstream = upstream
        self._events = events
        self._profiles = profiles.by_name
        self._bounds = bounds

    async def serve(self, context: RequestContext, call: Call, content: bytes) -> None:
        """Answer one call. Raises BadRequestError for what the caller did wrong."""
        if len(content) <= self._small_bytes:
            body = read_body(content, context.resolved.content_type, call.dialect, call.operation)
        else:
            body = await self._bodies.read(content, context.resolved.content_type, call)
        facts = body.facts
        resolved = context.resolved
        needs = _needs(facts, strict=resolved.speaks_lines) if facts.images or resolved.speaks_lines else _NOTHING
        wanted = RouteRequest(model=facts.model, needs=needs, engines=resolved.speakers, caller=resolved.caller.name)
        failed: AttemptFailed | None = None
        words: Whole | None = None
        while True:
            context.wanted = wanted
            try:
                lease = await self._admission.acquire(wanted, context)
            except Refused as refused:
                self._refuse(context, call, facts.model, refused, failed, words)
                return
            target = lease.target
            ended = False
            try:
                context.aim(target)
                self._events.attempt_began(context)
                profile = self._profiles[target.engine]
                attempt = Attempt(context, call, body, target, profile, self._bounds)
                failure = await attempt.run(self._upstream, self._bodies)
                ended = True
                self._ended(context, lease, failure)
                return
            except AttemptFailed as fault:
                failed = fault.with_traceback(None)  # which leads back here, and would keep the body
                words = fault.answer or words
                ended = True
                self._ended(context, lease, fault.kind)
                wanted = health.after(wanted, fault.kind, target.url)
            finally:
                if not ended:  # the caller left, or asked for what cannot be put to this engine
                    self._events.attempt_ended(context, "")
                lease.release()

    def _ended(self, context: RequestContext, lease: Lease, failure: Failure | None) -> None:
        """Tell how an attempt ended: None where the engine did what it should."""
        target = lease.target
        self._events.attempt_ended(context, "" if failure is None else failure._value_)
        if failure is None and target.url not in self._breaks:
            return  # nothing is known of the engine that this would change
        self._directory.ended(target.url, Outcome(failure, seconds=time.monotonic() - lease.since))
        if failure is Failure.NOT_PULLED:
            self._directory.lacks(target.url, target.engine_model)

    def _refuse(
        self,
        context: RequestContext,
        call: Call,
        asked: str,
        refused: Refused,
        failed: AttemptFailed | None,
        words: Whole | None,
    ) -> None:
        """Nobody is left: the last words that an engine had, else ours."""
        if refused.refusal.model is not None:
            context.model, context.pool = refused.refusal.model.name, refused.refusal.model.pool_name
        if words is not None:
            context.error = str(failed)
            relay.whole(context, words)
            return
        context.backend = context.route = ""
        context.error = str(failed or refused)
        relay.answer(context, errors.render(refusals.worded(refused.refusal, asked, call), call.dialect))


def _needs(facts: BodyFacts, *, strict: bool) -> frozenset[str]:
    """What the model must be able to do. Ollama refuses tools and thinking where they are unknown (`strict`); OpenAI's
    servers ignore what they do not know, and decide on tools themselves.
    """
    asked = {"vision": facts.images, "tools": strict and facts.tools, "thinking": strict and facts.thinking is True}
    return frozenset(name for name, wanted in asked.items() if wanted)
