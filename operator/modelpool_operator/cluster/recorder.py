"""Events: news that a person can act upon, and nothing else.

What is news is decided by comparing two statuses, so a restart of the operator repeats nothing, and what has not
changed is not said again. `Recorder` posts them and holds back what flaps.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from modelpool_operator.api import names
from modelpool_operator.api.status import ConditionStatus, ModelState, ModelStatus, PoolStatus
from modelpool_operator.cluster import errors, kinds
from modelpool_operator.cluster.client import Client, Object

logger = logging.getLogger(__name__)

QUIET: Final = timedelta(minutes=10)
"""How long the same reason about the same model of a pool is not repeated."""
_REMEMBERED: Final = 2000
"""News kept in mind for that; the oldest are forgotten first."""
_LONGEST: Final = 1000
"""Characters of an Event's note; the API server takes 1024."""

_PASSING: Final = frozenset(
    {
        *("Applying", "ContainerCreating", "Downloading", "Loading", "NoPod", "NotAnswering", "NotCreated"),
        *("PodInitializing", "ScaledToZero", "Scheduling", "WaitingForCard", "Waking"),
        *("Unschedulable", "NoGpuLeft", "VolumePending"),
    }
)
"""Reasons that are no news where a fallback stands in: they pass by waiting, or the scheduler tells of the pod."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One thing that a person can act upon."""

    reason: str
    """PascalCase, as `kubectl get events` shows it."""
    message: str
    about: str = ""
    """The model or the child, or nothing for the pool as a whole."""


def news_between(previous: PoolStatus | None, current: PoolStatus) -> Iterator[News]:
    """Yield what has gone wrong since `previous`: a refused plan, a model that failed.

    Not that a model finds no node: the scheduler says so of the pod itself, and of a new one it is true for a moment.
    """
    before = {condition.type: condition for condition in previous.conditions} if previous else {}
    for condition in current.conditions:
        if condition.type != "Planned" or condition.status is not ConditionStatus.FALSE:
            continue
        old = before.get(condition.type)
        if old is None or (old.status, old.reason, old.message) != (
            condition.status,
            condition.reason,
            condition.message,
        ):
            yield News(reason=condition.reason, message=condition.message)
    models = {model.name: model for model in previous.models} if previous else {}
    for model in current.models:
        if _is_in_trouble(model) and not _alike(models.get(model.name), model):
            yield News(
                reason=model.reason or model.state.value,
                message=f"Model {model.name}: {model.message or model.state.value}",
                about=model.name,
            )


def _is_in_trouble(model: ModelStatus) -> bool:
    """Whether the model's own engine failed, even while its fallback stands in."""
    fallen = model.state is ModelState.FALLBACK and model.reason not in _PASSING
    return model.state is ModelState.FAILED or fallen


def _alike(before: ModelStatus | None, now: ModelStatus) -> bool:
    return before is not None and _is_in_trouble(before) and before.reason == now.reason


class Recorder:
    """Posts news as Events of their pool."""

    def __init__(self, client: Client, *, now: Callable[[], datetime], reporter: str) -> None:
        self._client = client
        self._now = now
        self._reporter = reporter
        self._posted: dict[tuple[str, str, str], datetime] = {}
        """By pool, reason and model; in order of posting."""

    async def post(self, body: Object, news: News) -> None:
        """Post one Event, unless the like was posted lately. An Event that cannot be posted is logged, and no more."""
        now = self._now()
        key = (body["metadata"]["uid"], news.reason, news.about)
        last = self._posted.get(key)
        if last is not None and now - last < QUIET:
            return
        self._posted.pop(key, None)
        self._posted[key] = now
        while len(self._posted) > _REMEMBERED:
            del self._posted[next(iter(self._posted))]
        try:
            await self._client.create(kinds.EVENTS, _event(body, news, now=now, reporter=self._reporter))
        except errors.ClusterError as exc:
            logger.warning("Could not post an Event", extra={"reason": news.reason, "error": str(exc)})


def _event(body: Object, news: News, *, now: datetime, reporter: str) -> Object:
    metadata = body["metadata"]
    time = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": kinds.EVENTS.api_version,
        "kind": kinds.EVENTS.kind,
        "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
        "type": "Warning",
        "reason": news.reason,
        "message": news.message[:_LONGEST],
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
        "source": {"component": names.MANAGED_BY},
        "reportingComponent": f"{names.GROUP}/operator",
        "reportingInstance": reporter,
    }
