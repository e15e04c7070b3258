"""How many replicas a model shall have, by what is asked of it. Pure: times are told, in seconds of one clock.

Up at once; down only when the demand of the last `idleSeconds` would have been met with fewer, and to zero only when
every gateway says that nobody asked for as long. What is not known changes nothing.

A model at zero replicas keeps its share of the card. Engines that run cannot give memory back, so room that was lent to
a neighbour would not be there when somebody asks again; and a start that may be refused is no start on demand.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from msgspec import structs

from modelpool_operator.api.models import Autoscaling, Model
from modelpool_operator.api.pool import ModelPool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a model, at one gateway or at all of them."""

    load: int
    """Requests that an engine works on, or that wait for one."""
    idle_seconds: float
    """Since the last request came or ended; since the gateway's start, when there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Why nobody can tell what is asked of a model; a sentence without a full stop."""

    why: str
    passing: bool = False
    """Whether it will be known in a moment, so that nobody need hear of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What was decided for a model."""

    replicas: int
    reason: str
    """Why, as words that hold as long as the decision does."""
    known: bool = True
    """Whether the demand was known."""


def summed(gateways: Iterable[Asked]) -> Asked:
    """Return the demand at all gateways: loads add up, and the model is idle for as long as the least idle one says."""
    told = tuple(gateways)
    return Asked(load=sum(one.load for one in told), idle_seconds=min(one.idle_seconds for one in told))


@dataclass(slots=True)
class History:
    """What one model needed lately: replicas by demand, as they were seen."""

    began: float | None = None
    """When the first was seen; before that nothing is known."""
    _needs: deque[tuple[float, int]] = field(default_factory=deque)

    def note(self, scaling: Autoscaling, asked: Asked, now: float) -> None:
        """Take note of the demand."""
        if self.began is None:
            self.began = now
        self._needs.append((now, math.ceil(asked.load / scaling.target_in_flight)))
        self._forget(now - scaling.idle_seconds)

    def peak(self) -> int:
        """Return the most that was needed within the last `idleSeconds`."""
        return max((need for _, need in self._needs), default=0)

    def covers(self, scaling: Autoscaling, now: float) -> bool:
        """Return whether demand has been seen for `idleSeconds`."""
        return self.began is not None and now - self.began >= scaling.idle_seconds

    def _forget(self, before: float) -> None:
        # Of needs that are as high as a later one nobody will ask: the deque falls from left to right, and stays short.
        last = self._needs.pop()
        while self._needs and self._needs[-1][1] <= last[1]:
            self._needs.pop()
        self._needs.append(last)
        while len(self._needs) > 1 and self._needs[0][0] <= before:
            self._needs.popleft()


def decide(scaling: Autoscaling, asked: Asked | Unknown, history: History, *, current: int | None, now: float) -> Scale:
    """Return how many replicas a model shall have.

    Args:
        scaling: what the pool says.
        asked: the demand now.
        history: of the same model, with `asked` noted.
        current: replicas that it has been given; None for a model that is new.
        now: the time.
    """
    if isinstance(asked, Unknown):
        first = scaling.min_replicas if asked.passing else 1
        kept = _within(scaling, first if current is None else current)
        return Scale(replicas=kept, reason=f"the demand is unknown: {asked.why}", known=asked.passing)
    recently = asked.load > 0 or asked.idle_seconds < scaling.idle_seconds
    need = max(history.peak(), 1 if recently else 0)
    if current is not None and 0 < need < current and not history.covers(scaling, now):
        return Scale(
            replicas=_within(scaling, current), reason="demand is not known for long enough to give replicas up"
        )
    wanted = _within(scaling, need)
    if wanted == 0:
        return Scale(replicas=0, reason=f"no request for {scaling.idle_seconds} s")
    if wanted > need:
        return Scale(replicas=wanted, reason=f"`minReplicas` is {scaling.min_replicas}")
    if wanted < need:
        return Scale(replicas=wanted, reason=f"`maxReplicas` is {scaling.max_replicas}, and more would be needed")
    return Scale(replicas=wanted, reason=f"{scaling.target_in_flight} requests at once are one replica's")


def scaled(pool: ModelPool, scales: Mapping[str, Scale]) -> ModelPool:
    """Return the pool with the replicas that were decided, as if it said so itself."""
    models = tuple(_with_replicas(model, scales.get(model.name)) for model in pool.spec.models)
    return structs.replace(pool, spec=structs.replace(pool.spec, models=models))


def _with_replicas(model: Model, scale: Scale | None) -> Model:
    return model if scale is None else structs.replace(model, replicas=scale.replicas)


def _within(scaling: Autoscaling, replicas: int) -> int:
    return min(max(replicas, scaling.min_replicas), scaling.max_replicas)
