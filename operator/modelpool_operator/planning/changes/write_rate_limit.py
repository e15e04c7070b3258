"""How often a pool is written because of what others do to it: all of its children together, and its status. Pure.

Each child has pauses of its own, which `pacing` decides; many children, or many who change one now and then, add up all
the same. So behind the first minute there is a most for the pool. What takes a second engine off a card has more.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from modelpool_operator.planning.changes.drift import Drift
from modelpool_operator.planning.changes.edits import CALM, TOLD
from modelpool_operator.planning.changes.plan import Plan
from modelpool_operator.planning.objects.identity import ChildRef, Manifest, model_of

MINUTE: Final = 60.0
MOST: Final = 2
"""Children of a pool that are written in a minute because of others, behind the first; the rest is its status."""
MOST_WITH_URGENT: Final = 3
"""The same with those whose engines are too many on their cards."""
FREE: Final = 10
"""Writes after which it is told whoever is at work, whichever children they are."""
URGENT: Final = 20.0
"""Seconds at the most between two writes that take an engine off a card, where its child alone is fought over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBacks:
    """The latest writes to a pool's children that put right what others did, none of whom was calm for `CALM`."""

    began: float
    since: datetime
    """The same by the calendar."""
    last: float
    """When somebody was last seen to have changed something."""
    number: int = 0
    slowest: float = 0.0
    """The most seconds between two of the changes that were seen."""
    times: tuple[float, ...] = ()
    """When the writes of the last minute were."""
    calm: tuple[float, ...] = ()
    """Of these, those that were not urgent."""
    held: frozenset[ChildRef] = frozenset()
    """Children that wait for others of their pool."""
    crowded: bool = False
    """Whether there have been any."""
    latest: ChildRef | None = None
    """The child that was changed last."""
    cause: Drift | None = None
    """What was done to it, if it can be told."""

    def are_bounded(self, now: float) -> bool:
        """Return whether others have been at work for more than a minute."""
        return now - self.began >= MINUTE and now - self.last <= CALM

    @property
    def told_until(self) -> float | None:
        """Return the time, in seconds, until which it is told that others are at work, or None."""
        told = self.crowded or self.number > FREE
        return self.last + max(TOLD, 2 * self.slowest) if told else None

    def words(self, now: float) -> str | None:
        """Return a sentence about whoever changes children, whichever these are, or None."""
        if self.latest is None or self.told_until is None or now >= self.told_until:
            return None
        did = f"{self.cause.who} changed {self.cause.field}" if self.cause else "somebody made, changed or deleted it"
        since = f"{self.since:%Y-%m-%dT%H:%M:%SZ}"
        return f"children were put back {self.number} times since {since}; of {self.latest}, the last, {did}"


def seen(before: PutBacks | None, *, now: float, time: datetime) -> PutBacks:
    """Return what is to be remembered once others are seen to have changed something."""
    if before is None or now - before.last > CALM:
        return PutBacks(began=now, since=time, last=now)
    return replace(before, last=now, slowest=max(before.slowest, now - before.last))


def spaced(
    put_backs: PutBacks | None,
    due: Mapping[ChildRef, float],
    now: float,
    *,
    urgent: Collection[ChildRef],
    twice: Collection[ChildRef] = (),
) -> Mapping[ChildRef, float]:
    """Return when children may be written that others have changed, given when that is for each of them alone.

    `twice`: those that take two writes.
    """
    if put_backs is None:
        return due
    times = [when for when in put_backs.times if now - when < MINUTE]
    calm = [when for when in put_backs.calm if now - when < MINUTE]
    found = {}
    for ref in sorted(due, key=lambda ref: (max(due[ref], now), ref not in urgent, due[ref], ref)):
        writes = 2 if ref in twice else 1
        bounds = [(times, MOST_WITH_URGENT), *([] if ref in urgent else [(calm, MOST)])]
        left = [(kept, most - writes + 1) for kept, most in bounds]
        found[ref] = max([due[ref], *(kept[-most] + MINUTE for kept, most in left if len(kept) >= most)])
        for kept, _ in bounds:
            kept.extend([max(found[ref], now)] * writes)
            kept.sort()
    return found


def written(
    before: PutBacks | None,
    refs: Collection[ChildRef],
    *,
    urgent: Collection[ChildRef],
    twice: Collection[ChildRef],
    held: Collection[ChildRef],
    causes: Mapping[ChildRef, Drift],
    count: bool,
    now: float,
) -> PutBacks | None:
    """Return what is to be remembered after children were written because of others, and some were not.

    `twice`: those that took two writes. `count`: whether others changed the children, and not the pool.
    """
    if before is None:
        return None
    times = [when for when in before.times if now - when < MINUTE]
    calm = [when for when in before.calm if now - when < MINUTE]
    writes = [ref for ref in refs for _ in range(2 if ref in twice else 1)]
    latest = max((*refs, *held), key=lambda ref: (ref in causes, ref), default=before.latest)
    return replace(
        before,
        number=before.number + count * len(refs),
        times=(*times, *(now for _ in writes)),
        calm=(*calm, *(now for ref in writes if ref not in urgent)),
        held=frozenset(held),
        crowded=before.crowded or bool(count and held),
        latest=latest,
        cause=causes.get(latest) if latest in {*refs, *held} and latest is not None else before.cause,
    )


def too_many_in(plan: Plan, live: Mapping[ChildRef, Manifest]) -> frozenset[ChildRef]:
    """Return the Deployments of which others have made more engines than their cards have room for.

    Where their pods are changed, too, to put that back would start the engines anew each time: it can wait.
    """
    found = {
        ref
        for ref, wanted in plan.changed.items()
        if ref.kind == "Deployment" and ref.name not in plan.retemplated and ref in live
        if (live[ref]["spec"].get("replicas") or 0) > wanted["spec"].get("replicas", 1)
    }
    made = {ref for ref in plan.delete if ref.kind == "Deployment" and ref in live and model_of(live[ref]) is not None}
    return frozenset(found | made)
