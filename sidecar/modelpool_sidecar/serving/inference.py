"""Serving a call that needs a model: choose, try, and try elsewhere until the first byte is on its way.

The loop here is the whole promise of the gateway: as long as the caller has seen nothing, an engine that cannot be
reached, dies, drains or answers with a server's error costs an attempt and not the request.
"""

import time
from typing import Final

from ..dialects import bodies, errors
from ..dialects.bodies import BodyFacts
from ..dialects.bounds import Bounds
from ..dialects.calls import Call
from ..discovery.directory import Directory
from ..http.client.response import Client
from ..routing.choose import Target
from ..routing.health import Outcome
from ..routing.route_request import RouteRequest
from ..telemetry.metrics import Metrics
from . import failures, refusals, relay
from .admission import Admission, Refused
from .attempt import Attempt, AttemptFailed
from .context import RequestContext
from .failures import Failure
from .relay import Whole
from .request_bodies import RequestBodies

_NOTHING: Final[frozenset[str]] = frozenset()


class Inference:
    """Carries calls to engines. One per gateway."""

    def __init__(
        self,
        directory: Directory,
        admission: Admission,
        upstream: Client,
        metrics: Metrics,
        bounds: Bounds,
        bodies: RequestBodies,
    ) -> None:
        """`bounds`: how much of engines' answers may be kept."""
        self._directory = directory
        self._rows = directory.rows
        self._bodies = bodies
        self._small_bytes = bodies.small_bytes
        self._admission = admission
        self._upstream = upstream
        self._metrics = metrics
        self._bounds = bounds

    async def serve(self, visit: RequestContext, call: Call, body: bytes) -> None:
        """Answer one call. Raises BadRequestError for what the caller did wrong."""
        light = len(body) <= self._small_bytes or self._bodies.is_light(body)
        if light:
            head = bodies.read_head(body, call.dialect, call.operation)
        else:
            head = await self._bodies.read_head(body, call.dialect, call.operation)
        opening = visit.opening
        needs = _needs(head, strict=opening.speaks_lines) if head.images or opening.speaks_lines else _NOTHING
        wanted = RouteRequest(model=head.model, needs=needs, engines=opening.speakers, caller=opening.caller)
        failed: AttemptFailed | None = None
        words: Whole | None = None
        while True:
            visit.wanted = wanted
            try:
                target = self._admission.grant(wanted) or await self._waited(visit, wanted)
            except Refused as refused:
                self._refuse(visit, call, head.model, refused, failed, words)
                return
            try:
                self._aimed(visit, target)
                attempt = Attempt(visit, call, head, body, target, self._bounds, light)
                ended = await attempt.run(self._upstream, self._bodies)
                if ended is not None:
                    self._learn(target, ended)
                elif self._rows:
                    self._directory.heard(target.url, Outcome.ANSWERED)
                return
            except AttemptFailed as failure:
                failed = failure.with_traceback(None)  # which leads back here, and would keep the body
                words = failure.answer or words
                self._learn(target, failure.kind)
                wanted = failures.after(wanted, failure.kind, target.url)
            finally:
                self._admission.leave(target)

    async def _waited(self, visit: RequestContext, wanted: RouteRequest) -> Target:
        asked_ns = time.monotonic_ns()
        try:
            return await self._admission.wait(wanted)
        finally:
            visit.queue_ns += time.monotonic_ns() - asked_ns

    def _aimed(self, visit: RequestContext, target: Target) -> None:
        visit.aim(target)
        if target.why is not None:
            self._metrics.fallbacks.of[visit.pool, visit.model, target.why.value].inc()

    def _learn(self, target: Target, failure: Failure) -> None:
        """What a failed attempt says about the engine, beyond this request."""
        labels = (target.model.pool_name, target.model.name, target.backend.engine.value, failure.value)
        self._metrics.upstream_errors.of[labels].inc()
        outcome = failures.outcome(failure)
        if outcome is not None:
            self._directory.heard(target.url, outcome)
        if failure is Failure.NOT_PULLED:
            self._directory.lacks(target.url, target.engine_model)

    def _refuse(
        self,
        visit: RequestContext,
        call: Call,
        asked: str,
        refused: Refused,
        failed: AttemptFailed | None,
        words: Whole | None,
    ) -> None:
        """Nobody is left: the last words that an engine had, else ours."""
        if refused.refusal.model is not None:
            visit.model, visit.pool = refused.refusal.model.name, refused.refusal.model.pool_name
        if words is not None:
            visit.error = str(failed)
            relay.whole(visit, words)
            return
        visit.backend = visit.route = ""
        visit.error = str(failed or refused)
        relay.answer(visit, errors.render(refusals.worded(refused.refusal, asked, call), call.dialect))


def _needs(head: BodyFacts, *, strict: bool) -> frozenset[str]:
    """What the model must be able to do. Ollama refuses tools and thinking where they are unknown (`strict`); OpenAI's
    servers ignore what they do not know, and decide on tools themselves.
    """
    asked = {"vision": head.images, "tools": strict and head.tools, "thinking": strict and head.thinking is True}
    return frozenset(name for name, wanted in asked.items() if wanted)
