"""How often a child is written: at once at first, and less and less often where somebody undoes it each time. Pure.

Two who want a field otherwise would write for ever, and each write may restart an engine. So what is put back again and
again is put back after longer and longer pauses, and so is what the API server refuses. A pool whose own spec changes
all the time is carried out with pauses, too; what the operator changes by itself, as replicas by demand, has none. Each
child has its own pauses; those that are fought over take turns, and all together have a most: `write_rate_limit`.

A `Book` is what is remembered of a pool's children. It is kept in memory: an operator that starts begins anew.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from modelpool_operator.planning.changes.drift import Drift
from modelpool_operator.planning.changes.edits import CALM, TOLD, Edits, pause_after
from modelpool_operator.planning.changes.plan import Plan
from modelpool_operator.planning.changes.write_rate_limit import URGENT, PutBacks, spaced
from modelpool_operator.planning.objects.identity import ChildRef, digest, seal_of

FREE: Final = 3
"""Writes in a row, behind the first, that put something back without a pause."""
LONGEST: Final = 300.0
"""Seconds between two writes that put the same back: the kubelet waits as long with what crashes."""
LONGEST_REFUSED: Final = 60.0
"""Seconds until a refused write is tried again: a quota was raised, a webhook came back."""
SPACING: Final = 40.0
"""Seconds between two writes to children of one pool that are fought over, or whose pool is changed without end."""
_LATER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writes:
    """The latest writes of a child, each of which followed the one before soon; of old ones, what was sent last."""

    seal: str
    """Of what was sent last; empty for a deletion."""
    generation: int
    """Of the pool, then."""
    last: float
    """When that was, in seconds."""
    since: datetime
    """When the first of them was."""
    put_back: int = 0
    """How often what others did was undone."""
    refusals: int = 0
    """How often in a row the API server refused."""
    refusal: str | None = None
    """What it said the last time, or None where it took the write."""
    cause: Drift | None = None
    """What others did last, where it can be told."""
    absent: bool = False
    """Whether the child was not there when it was written last."""
    slowest: float = 0.0
    """The most seconds from a write until it was undone."""
    waits: bool = False
    """Whether a write waits for its time."""
    urgent: bool = False
    """Whether the last write took an engine off a card."""
    wanted: float = 0.0
    """When a write was last wanted, whether or not it was done."""

    @property
    def is_fought_over(self) -> bool:
        """Whether others have changed the child too often for it to be put back at once."""
        return self.put_back > FREE

    @property
    def told_until(self) -> float:
        """The time, in seconds, until which a fight is told: longer, where others take their time."""
        return self.wanted + max(TOLD, 2 * self.slowest)

    def pause(self, seal: str, edits: Edits, *, is_urgent: bool = False) -> float:
        """Return the seconds from the last write to one that would send `seal`."""
        if seal != self.seal:
            return edits.pause if edits.generation != self.generation else 0.0
        if self.refusal is not None:
            return min(LONGEST_REFUSED, 2.0 ** min(self.refusals, 16))
        return pause_after(self.put_back - FREE, URGENT if is_urgent else LONGEST)

    def is_over(self, now: float) -> bool:
        """Return whether nothing of it matters any more."""
        longest = max(pause_after(self.put_back - FREE, LONGEST), LONGEST_REFUSED if self.refusal is not None else 0.0)
        return not self.waits and now - self.wanted > longest + CALM

    def calmed(self) -> "Writes":
        """Return what is still known when it is over: whoever has to send the same again was undone all the same."""
        return Writes(seal=self.seal, generation=self.generation, last=self.last, since=_LATER, wanted=self.wanted)


Book = Mapping[ChildRef, Writes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paced:
    """What of a plan is done now."""

    plan: Plan
    held: frozenset[ChildRef] = frozenset()
    """Children whose change has to wait."""
    why: Mapping[ChildRef, str] = field(default_factory=dict)
    """What is the matter with each of them."""
    again: float | None = None
    """Seconds until the first of them may be written."""
    undoing: frozenset[ChildRef] = frozenset()
    """Children of the plan that are changed because of others."""
    crowded: frozenset[ChildRef] = frozenset()
    """Of these, those that wait for others of the pool."""
    urgent: frozenset[ChildRef] = frozenset()


def current(book: Book, edits: Edits, now: float) -> Book:
    """Return what still matters: all of it while the pool is changed without end, of which a child may miss some."""
    if edits.are_without_end:
        return book
    over = {ref: known.is_over(now) for ref, known in book.items()}
    return {ref: known.calmed() if over[ref] else known for ref, known in book.items() if known.seal or not over[ref]}


def paced(
    plan: Plan,
    book: Book,
    edits: Edits,
    now: float,
    *,
    put_backs: PutBacks | None = None,
    undoing: frozenset[ChildRef] = frozenset(),
    urgent: Collection[ChildRef] = (),
) -> Paced:
    """Return the plan without the changes whose time has not come.

    Args:
        plan: what is wanted.
        book: what is remembered of each child.
        edits: of the pool's spec.
        now: the time of all pauses, in seconds.
        put_backs: what is remembered of all children together.
        undoing: children of the plan that are changed because of others.
        urgent: those of them with more engines than their cards have room for.
    """
    urgent = undoing.intersection(urgent)
    due = {
        ref: known.last + known.pause(seal, edits, is_urgent=ref in urgent)
        for ref, seal in seals_of(plan).items()
        if (known := book.get(ref)) is not None
    }
    latest = {
        ref: known.last
        for ref, known in book.items()
        if (known.is_fought_over or edits.are_without_end) and not known.urgent
    }
    for ref in sorted((due.keys() & latest.keys() & undoing) - urgent, key=lambda ref: (due[ref], ref)):
        others = (when + SPACING for other, when in latest.items() if other != ref)
        due[ref] = max((due[ref], *others))
        latest[ref] = max(due[ref], now)
    crowded = frozenset[ChildRef]()
    if edits.are_without_end or (put_backs is not None and put_backs.are_bounded(now)):
        together = spaced(put_backs, {ref: due.get(ref, now) for ref in undoing}, now, urgent=urgent, twice=plan.twice)
        crowded = frozenset(ref for ref, when in together.items() if when > max(now, due.get(ref, now)))
        due |= together
    held = frozenset(ref for ref, when in due.items() if when > now)
    again = min((due[ref] - now for ref in held), default=None)
    why = {ref: reason for ref, reason in plan.why.items() if ref in held}
    done = plan.without(held)
    return Paced(plan=done, held=held, why=why, again=again, undoing=undoing, crowded=crowded, urgent=urgent)


def noted(
    book: Book,
    done: Paced,
    *,
    refused: Mapping[ChildRef, str],
    causes: Mapping[ChildRef, Drift],
    absent: Collection[ChildRef],
    generation: int,
    now: float,
    time: datetime,
) -> Book:
    """Return what is to be remembered after a plan was carried out.

    Args:
        book: what was remembered.
        done: what was carried out of the plan, and what was not.
        refused: what the API server said, by child.
        causes: what others had done to the children of the plan.
        absent: children of the plan that were not there.
        generation: of the pool.
        now: the time of all pauses, in seconds.
        time: the same by the calendar.
    """
    found: dict[ChildRef, Writes] = {}
    for ref, known in book.items():
        waits = ref in done.held
        found[ref] = replace(
            known,
            waits=waits,
            wanted=now if waits else known.wanted,
            slowest=max(known.slowest, now - known.last) if waits and not known.waits else known.slowest,
            refusal=known.refusal if waits else None,
            cause=causes.get(ref, known.cause),
        )
    for ref, seal in seals_of(done.plan).items():
        before = book.get(ref) or Writes(seal=seal, generation=generation, last=now, since=time)
        again = before.refusal is not None and seal == before.seal
        # Whoever has to send the same again soon was undone, whatever undid it, and whether or not it can be told.
        undone = not again and (ref in causes or (ref in book and seal == before.seal))
        found[ref] = replace(
            before,
            seal=seal,
            generation=generation,
            last=now,
            since=time if before.since is _LATER else before.since,
            put_back=before.put_back + undone,
            refusals=(before.refusals if again else 0) + (ref in refused),
            refusal=refused.get(ref),
            cause=causes.get(ref) or before.cause,
            absent=ref in absent,
            slowest=max(before.slowest, now - before.last) if undone and not before.waits else before.slowest,
            waits=False,
            urgent=ref in done.urgent,
            wanted=now,
        )
    return found


def refused_in(book: Book) -> Mapping[ChildRef, str]:
    """Return the children that the API server does not take, with what it said."""
    return {ref: known.refusal for ref, known in book.items() if known.refusal is not None}


def next_look(book: Book, done: Paced, edits: Edits, now: float) -> float | None:
    """Return the seconds until a pool is to be looked at again, since something may be written, or a fight be over."""
    times = [done.again] if done.again is not None else []
    for known in book.values():
        if known.refusal is not None and not known.waits:
            times.append(known.last + known.pause(known.seal, edits) - now)
        elif known.is_fought_over and not known.waits and now < known.told_until:
            times.append(known.told_until - now)
    return max(0.0, min(times)) if times else None


def seals_of(plan: Plan) -> Mapping[ChildRef, str]:
    """Return the seal of each child that a plan changes; empty for one that it deletes."""
    changed = {ref: seal_of(one) or digest(one) for ref, one in plan.changed.items()}
    return {**dict.fromkeys(plan.delete, ""), **changed}
