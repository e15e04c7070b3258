"""Replicas by demand: what gateways said, what was decided from it, and the poll that asks them.

Only while some pool has `autoscaling` is anybody asked. What is remembered is demand, never a decision that counts: a
pass decides anew from what is there, and the poll only wakes the pools for which that would come out differently.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from modelpool_operator.api.models import Autoscaling, Model
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.cluster.gateways import Gateways, Reading
from modelpool_operator.handlers.workqueue import WorkQueue
from modelpool_operator.planning.observation import autoscaling
from modelpool_operator.planning.observation.autoscaling import Asked, History, Scale, Unknown
from modelpool_operator.planning.observation.gateway_demand import asked_of

logger = logging.getLogger(__name__)

EVERY: Final = 2.0
"""Seconds between two questions: what a model scaled to zero takes longer to wake, at most."""
PATIENCE: Final = 15.0
"""Seconds of silence after which the demand counts as unknown; until then, what was said last holds."""

_NOT_ASKED: Final = Unknown(why="no gateway was asked yet")
_NO_GATEWAY: Final = Unknown(why="the operator was told no gateway (--gateway-service)")


class Scaling:
    """The demand for the models of all pools that have `autoscaling`. One event loop; no locks."""

    def __init__(self, gateway: Callable[[ObjectRef], ObjectRef | None], *, clock: Callable[[], float]) -> None:
        """`gateway` returns the Service of a pool's gateways, or None when there is none to ask."""
        self._gateway = gateway
        self._clock = clock
        self._pools: dict[ObjectRef, ModelPool] = {}
        self._readings: dict[ObjectRef, Reading] = {}
        self._known: dict[tuple[ObjectRef, str], tuple[float, Asked | None]] = {}
        """The last demand that was told of a model, and when; with None, when it was first wanted."""
        self._histories: dict[tuple[ObjectRef, str], History] = {}
        self._decided: dict[tuple[ObjectRef, str], Scale] = {}
        self._anybody = asyncio.Event()

    def put(self, pool: ModelPool) -> None:
        """Take note of a pool."""
        models = {model.name for model, _ in _scaled_models(pool)}
        if not models:
            self.drop(pool.ref)
            return
        self._pools[pool.ref] = pool
        self._forget(pool.ref, keep=models)
        for name in models:
            self._known.setdefault((pool.ref, name), (self._clock(), None))
        self._anybody.set()

    def drop(self, ref: ObjectRef) -> None:
        """Forget a pool."""
        self._pools.pop(ref, None)
        self._forget(ref, keep=set())
        if not self._pools:
            self._anybody.clear()

    def decide(self, pool: ModelPool, current: Mapping[str, int]) -> Mapping[str, Scale]:
        """Return the replicas of the pool's models that have `autoscaling`; `current`: those that they have now."""
        now = self._clock()
        for model, scaling in _scaled_models(pool):
            key = (pool.ref, model.name)
            before = current.get(model.name)
            found = self._decided[key] = self._decision(pool, model, scaling, before, now)
            if before is not None and found.replicas != before:
                about = {"model": model.name, "replicas": found.replicas, "before": before, "why": found.reason}
                logger.info("Scaled a model", extra=about)
        return {model.name: self._decided[pool.ref, model.name] for model, _ in _scaled_models(pool)}

    async def services(self) -> frozenset[ObjectRef]:
        """Wait until there is somebody to ask for, and return the Services of the gateways."""
        await self._anybody.wait()
        return frozenset(service for ref in self._pools if (service := self._gateway(ref)) is not None)

    def heard(self, service: ObjectRef, reading: Reading) -> frozenset[ObjectRef]:
        """Take note of what gateways say, and return the pools for which another decision follows."""
        now = self._clock()
        self._readings[service] = reading
        return frozenset(
            ref for ref, pool in self._pools.items() if self._gateway(ref) == service and self._differs(pool, now)
        )

    def _differs(self, pool: ModelPool, now: float) -> bool:
        differs = False
        for model, scaling in _scaled_models(pool):
            key = (pool.ref, model.name)
            if isinstance(told := self._told(pool, model), Asked):
                self._known[key] = now, told
                self._histories.setdefault(key, History()).note(scaling, told, now)
            before = self._decided.get(key)
            current = before.replicas if before is not None else None
            differs |= self._decision(pool, model, scaling, current, now) != before
        return differs

    def _decision(self, pool: ModelPool, model: Model, scaling: Autoscaling, current: int | None, now: float) -> Scale:
        history = self._histories.get((pool.ref, model.name), History())
        return autoscaling.decide(scaling, self._asked(pool, model, now), history, current=current, now=now)

    def _asked(self, pool: ModelPool, model: Model, now: float) -> Asked | Unknown:
        """Return the demand; for a while, what was told last in place of silence."""
        told = self._told(pool, model)
        since, before = self._known[pool.ref, model.name]
        if isinstance(told, Asked) or told is _NO_GATEWAY or now - since >= PATIENCE:
            return told
        return before if before is not None else replace(told, passing=True)

    def _told(self, pool: ModelPool, model: Model) -> Asked | Unknown:
        service = self._gateway(pool.ref)
        if service is None:
            return _NO_GATEWAY
        reading = self._readings.get(service, _NOT_ASKED)
        return reading if isinstance(reading, Unknown) else asked_of(reading, pool.ref, model.names)

    def _forget(self, ref: ObjectRef, *, keep: set[str]) -> None:
        gone = {key for key in self._known if key[0] == ref and key[1] not in keep}
        for key in gone:
            del self._known[key]
            self._histories.pop(key, None)
            self._decided.pop(key, None)


async def poll(scaling: Scaling, gateways: Gateways, queue: WorkQueue) -> None:
    """Ask all gateways again and again, for ever, and wake the pools that are to be decided anew."""
    while True:
        for service in await scaling.services():
            for ref in scaling.heard(service, await gateways.ask(service)):
                queue.add(ref)
        await asyncio.sleep(EVERY)


def _scaled_models(pool: ModelPool) -> Iterable[tuple[Model, Autoscaling]]:
    return [(model, model.autoscaling) for model in pool.spec.models if model.autoscaling is not None]
