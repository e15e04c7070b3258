"""How often a pool's status is written: at once at first, and then as often as a bucket fills. Pure.

Whatever makes a status change without end, the spec, pods, or somebody who writes over it, costs few writes a minute.
What is only said in other words leaves a part of the bucket to what matters. That a pool is no longer ready is told
at once and owed to the bucket, so that `Ready` is never untrue for the sake of a pause: the way back waits.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import structs

from modelpool_operator.api.status import ConditionStatus, PoolStatus
from modelpool_operator.planning.changes.edits import CALM, TOLD, pause_after
from modelpool_operator.planning.reporting.conditions import READY

BURST: Final = 5.0
"""Statuses that a pool is told without a pause."""
RESERVED: Final = 2.0
"""Of these, those that are not spent on other words for the same."""
EVERY: Final = 20.0
"""Seconds after which there is one more."""
EXTRA: Final = 15.0
"""Statuses more, while a person looks what becomes of a change of the pool; the bucket is emptied by them, too."""
MOST: Final = 2
"""Statuses in a minute while others are at work on the pool's children without end; one more, where it is not ready."""
WATCHED: Final = 60.0
"""Seconds for which that is."""
FREE: Final = 3
"""How often in a row a status that somebody has written over is written again at once, behind the first time."""
LONGEST: Final = 300.0
_MINUTE: Final = 60.0
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusWrites:
    """What a pool was told, and what became of it."""

    said: PoolStatus | None = None
    """What was told last, without its times."""
    last: float = 0.0
    """When that was, in seconds."""
    times: tuple[float, ...] = ()
    """When the writes of the last minute were."""
    left: float = BURST
    """What was in the bucket then; less than nothing where it is owed."""
    extra: float = 0.0
    """What may be told beside the bucket."""
    watched_until: float = 0.0
    """When that ends, in seconds."""
    lost: bool = False
    """Whether somebody else has written over it."""
    lost_at: float = 0.0
    """When that was seen last."""
    number: int = 0
    """How often a status that was written over has been written again."""
    since: datetime = _NEVER
    """When the first of these was lost."""
    slowest: float = 0.0
    """The most seconds from a write until it was written over."""
    by: str | None = None
    """Who did so last."""

    @property
    def told_until(self) -> float | None:
        """Return the time, in seconds, until which whoever writes over the status is named; None where nobody is."""
        return self.lost_at + max(TOLD, 2 * self.slowest) if self.number > FREE else None

    def words(self, now: float) -> str | None:
        """Return a sentence about whoever writes over the status, or None."""
        if self.told_until is None or now >= self.told_until:
            return None
        who = f"'{self.by}'" if self.by else "somebody"
        return f"{who} writes over the status; written again {self.number} times since {self.since:%Y-%m-%dT%H:%M:%SZ}"

    def due(self, status: PoolStatus, now: float, *, most: int | None = None) -> float:
        """Return when a status may be written, in seconds: at the earliest now.

        `most`: statuses in a minute, where others are at work without end.
        """
        new = essence(status)
        if not self.lost and new == self.said:
            return now
        if _is_ready(self.said) and not _is_ready(new):
            return now
        same = not self.lost and self.said is not None and _matter_of(new) == _matter_of(self.said)
        if self.is_watched(now) and not self.lost and self.extra >= 1.0 + same * EXTRA / 2:
            return now
        short = 1.0 + RESERVED * same - self.left_at(now)
        times = [now, now + short * EVERY]
        if most is not None and len(self.times) >= most:
            times.append(self.times[-most] + _MINUTE)
        if self.lost:
            times.append(self.last + pause_after(self.number - FREE, LONGEST))
        return max(times)

    def is_watched(self, now: float) -> bool:
        """Return whether the pool was changed a moment ago."""
        return now < self.watched_until

    def left_at(self, now: float) -> float:
        """Return how many statuses are in the bucket."""
        return min(BURST, self.left + (now - self.last) / EVERY)


def seen(before: StatusWrites, there: PoolStatus | None, by: str | None, *, now: float, time: datetime) -> StatusWrites:
    """Return what is to be remembered once a pool is looked at.

    Args:
        before: what was remembered.
        there: the status that the pool has.
        by: who wrote it, if somebody else did and it can be told.
        now: the time of all pauses, in seconds.
        time: the same by the calendar.
    """
    if before.said is None or (there is not None and essence(there) == before.said):
        return replace(before, lost=False)
    first = before.number == 0 or (not before.lost and now - before.lost_at > CALM)
    return replace(
        before,
        lost=True,
        lost_at=now,
        number=0 if first else before.number,
        since=time if first else before.since,
        slowest=max(0.0 if first else before.slowest, 0.0 if before.lost else now - before.last),
        by=by,
    )


def opened(before: StatusWrites, *, now: float) -> StatusWrites:
    """Return what is to be remembered once a person wants a pool, or wants it otherwise."""
    return replace(before, extra=EXTRA, watched_until=now + WATCHED)


def closed(before: StatusWrites, *, now: float) -> StatusWrites:
    """Return what is to be remembered once a pool is changed without end: nobody looks what becomes of each change."""
    return replace(before, extra=0.0, watched_until=min(before.watched_until, now))


def told(before: StatusWrites, status: PoolStatus, *, now: float) -> StatusWrites:
    """Return what is to be remembered once a status was written."""
    left = before.left_at(now) - 1.0
    return replace(
        before,
        said=essence(status),
        last=now,
        times=(*(when for when in before.times if now - when < _MINUTE), now),
        left=max(0.0, left) if before.is_watched(now) else left,
        extra=before.extra - 1.0,
        lost=False,
        number=before.number + before.lost,
    )


def essence(status: PoolStatus) -> PoolStatus:
    """Return a status without the times of its conditions."""
    conditions = tuple(structs.replace(one, last_transition_time=_NEVER) for one in status.conditions)
    return structs.replace(status, conditions=conditions)


def _matter_of(status: PoolStatus) -> Any:
    """Return what of a status others act upon: not the words."""
    conditions = [(one.type, one.status, one.reason, one.observed_generation) for one in status.conditions]
    return conditions, [structs.replace(one, message="") for one in status.models], status.observed_generation


def _is_ready(status: PoolStatus | None) -> bool:
    conditions = status.conditions if status is not None else ()
    return any(one.type == READY and one.status is ConditionStatus.TRUE for one in conditions)
