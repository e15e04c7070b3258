"""How others write each pool and its children: the pauses that follow, what admission alters, and the last status.

Kept in memory, one `WriteHistory` per pool. What follows from it is decided in `planning`: by `changes.pacing` for
children, by `changes.edits` for the spec, by `reporting.status_rate_limit` for the status, and by `changes.admission`.
An operator that starts knows nothing, and learns it from at most one write of each child.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from modelpool_operator.api import parsing
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.status import PoolStatus
from modelpool_operator.cluster.execute import Outcome
from modelpool_operator.planning.changes import edits, fights, pacing, write_rate_limit
from modelpool_operator.planning.changes.admission import altered_in, as_asked
from modelpool_operator.planning.changes.child_changes import KEPT, UNCHANGEABLE
from modelpool_operator.planning.changes.comparison import Difference
from modelpool_operator.planning.changes.drift import Drift, found_in
from modelpool_operator.planning.changes.edits import Edits
from modelpool_operator.planning.changes.managers import manager_of
from modelpool_operator.planning.changes.pacing import Book, Paced
from modelpool_operator.planning.changes.plan import Plan
from modelpool_operator.planning.changes.write_rate_limit import PutBacks
from modelpool_operator.planning.objects.identity import ChildRef, Manifest, digest, ref_of
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.reporting import status_rate_limit
from modelpool_operator.planning.reporting.status_rate_limit import StatusWrites


class WriteHistory:
    """One pool's."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._book: Book = {}
        self._altered: dict[ChildRef, tuple[Difference, ...]] = {}
        self._edits: Edits | None = None
        self._put_backs: PutBacks | None = None
        self._carried: int | None = None
        """The generation that was carried out last."""
        self._status_writes = StatusWrites()
        self._due: float | None = None
        """When the status is to be told, where it may not be now."""
        self._unchanged = False
        """Whether a write came back as what was there: then no watch tells of it."""

    @property
    def refused(self) -> Mapping[ChildRef, str]:
        """What the API server does not take, with what it said."""
        return pacing.refused_in(self._book)

    @property
    def fought_over(self) -> frozenset[ChildRef]:
        """Children that others change back again and again."""
        crowded = self._put_backs.held if self._put_backs else frozenset[ChildRef]()
        return crowded.union(ref for ref, known in self._book.items() if known.is_fought_over)

    @property
    def fights(self) -> tuple[str, ...]:
        """Children, the spec and the status, where others write them again and again, as sentences."""
        now = self._clock()
        of_children = fights.fights(self._book, now)
        all_of_them = self._put_backs.words(now) if self._put_backs else None
        if self._put_backs and any(one.startswith(f"{self._put_backs.latest}:") for one in of_children):
            all_of_them = None
        others = (all_of_them, self._edits.words(now) if self._edits else None, self._status_writes.words(now))
        return (*of_children, *(one for one in others if one))

    @property
    def edits(self) -> Edits:
        """How often the spec has been changed."""
        if self._edits is None:
            raise AssertionError("a pool is looked at before anything is decided about it")
        return self._edits

    def look(self, body: Mapping[str, Any], time: datetime) -> None:
        """Take note of a pool as it was read: whether somebody has changed its spec, or its status."""
        now, generation, before = self._clock(), body["metadata"]["generation"], self._edits
        same = before is not None and generation == before.generation
        spec = "" if same else digest(body.get("spec"))
        self._edits = edits.seen(before, generation, manager_of(body, ("spec",)), now=now, time=time, spec=spec)
        if self._edits.are_without_end:
            self._status_writes = status_rate_limit.closed(self._status_writes, now=now)
        elif before is None or generation != before.generation:
            self._status_writes = status_rate_limit.opened(self._status_writes, now=now)
        there, by = parsing.status_of(body), manager_of(body, ("status",))
        self._status_writes = status_rate_limit.seen(self._status_writes, there, by, now=now, time=time)
        if self._status_writes.lost:
            self._put_backs = write_rate_limit.seen(self._put_backs, now=now, time=time)

    def under_way(self, paced: Paced, done: Outcome, observed: Observed) -> Plan:
        """Return what is told of a plan that was carried out: no change that is undone each time goes anywhere."""
        contested = {ref for ref in paced.urgent if ref in self._book and self._book[ref].is_fought_over}
        return paced.plan.as_done(refused=done.refused, unchanged=unchanged_by(done, observed)).without(contested)

    def held_back(self, paced: Paced) -> tuple[str, ...]:
        """Return the changes that wait for their time, as sentences."""
        return fights.held_back(self._book, paced)

    def as_asked(self, children: Mapping[ChildRef, Manifest]) -> Mapping[ChildRef, Manifest]:
        """Return the children without what admission made of them."""
        return {ref: as_asked(live, self._altered.get(ref, ())) for ref, live in children.items()}

    def paced(self, plan: Plan, observed: Observed, *, time: datetime) -> Paced:
        """Return what of a plan is carried out now."""
        now, live = self._clock(), observed.children
        self._book = pacing.current(self._book, self.edits, now)
        changed = {one.child for one in found_in(plan.changed, live)}
        undoing = fights.undoing_in(plan, self._book, self.edits, changed, carried=self._carried)
        if undoing:
            self._put_backs = write_rate_limit.seen(self._put_backs, now=now, time=time)
        urgent = write_rate_limit.too_many_in(plan, live) if undoing else ()
        return pacing.paced(
            plan, self._book, self.edits, now, put_backs=self._put_backs, undoing=undoing, urgent=urgent
        )

    def note(
        self,
        paced: Paced,
        done: Outcome,
        put_back: Collection[Drift],
        observed: Observed,
        *,
        time: datetime,
    ) -> None:
        """Remember what was done, and how it was taken."""
        wanted, causes = paced.plan.changed, {one.child: one for one in put_back}
        self._carried = self.edits.generation
        self._put_backs = write_rate_limit.written(
            self._put_backs,
            paced.undoing - paced.held,
            urgent=paced.urgent,
            twice=paced.plan.twice,
            held=paced.crowded,
            causes=causes,
            count=not self.edits.are_without_end,
            now=self._clock(),
        )
        self._book = pacing.noted(
            self._book,
            paced,
            refused=done.refused,
            causes=causes,
            absent=wanted.keys() - observed.children.keys() - done.found.keys(),
            generation=self.edits.generation,
            now=self._clock(),
            time=time,
        )
        applied = {ref_of(manifest) for manifest in paced.plan.apply}
        for ref, answer in done.answers.items():
            fixed = ref.kind in UNCHANGEABLE | KEPT
            self._altered[ref] = () if fixed else altered_in(wanted[ref], answer, trimmed=ref not in applied)
        gone = self._altered.keys() - observed.children.keys() - done.answers.keys()
        self._altered = {ref: found for ref, found in self._altered.items() if found and ref not in gone}
        self._unchanged = bool(unchanged_by(done, observed))

    def news_of(self, put_back: Collection[Drift], done: Outcome) -> Iterator[Drift]:
        """Yield what has been put back and is told as an Event: not what admission makes, nor what is fought over."""
        for one in put_back:
            known, altered = self._book.get(one.child), self._altered.get(one.child, ())
            fought = known is not None and known.is_fought_over
            if one.child in done.answers and not fought and one.field not in {found.path for found in altered}:
                yield one

    def may_tell(self, status: PoolStatus) -> bool:
        """Return whether the status may be written now; else `next_look` says when."""
        now = self._clock()
        due = self._status_writes.due(status, now, most=self._most_told(now))
        self._due = due if due > now else None
        return self._due is None

    def _most_told(self, now: float) -> int | None:
        """Return how many statuses a minute may have, where others are at work; children have the others."""
        if self.edits.are_without_end:
            return status_rate_limit.MOST
        if self._put_backs is None or not self._put_backs.are_bounded(now):
            return None
        return status_rate_limit.MOST if self._put_backs.number > pacing.FREE else status_rate_limit.MOST + 1

    def told(self, status: PoolStatus) -> str | None:
        """Take it that the status was written, and return what is to be said of whoever writes over it."""
        self._status_writes = status_rate_limit.told(self._status_writes, status, now=self._clock())
        return self._status_writes.words(self._clock())

    def next_look(self, paced: Paced | None = None) -> float | None:
        """Return the seconds until the pool is to be looked at again, or None; `paced` where it was carried out."""
        now = self._clock()
        times: list[float | None] = []
        if paced is not None:
            times += [pacing.next_look(self._book, paced, self.edits, now), 0.0 if self._unchanged else None]
        crowd = self._put_backs.told_until if self._put_backs else None
        ends = (self._due, self.edits.told_until, self._status_writes.told_until, crowd)
        times += [one - now for one in ends if one is not None and one > now]
        return min((max(0.0, one) for one in times if one is not None), default=None)


def unchanged_by(done: Outcome, observed: Observed) -> frozenset[ChildRef]:
    """Return the children of which a write came back as what was there: admission undoes it in the same request."""
    versions = {ref: live["metadata"].get("resourceVersion") for ref, live in observed.children.items()}
    return frozenset(
        ref for ref, answer in done.answers.items() if answer["metadata"].get("resourceVersion") == versions.get(ref)
    )


class WriteHistories:
    """All pools'. One event loop; no locks."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._histories: dict[ObjectRef, WriteHistory] = {}

    def of(self, ref: ObjectRef) -> WriteHistory:
        """Return a pool's history."""
        return self._histories.setdefault(ref, WriteHistory(self._clock))

    def drop(self, ref: ObjectRef) -> None:
        """Forget a pool."""
        self._histories.pop(ref, None)
