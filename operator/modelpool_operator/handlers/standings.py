"""How each pool stands with others who write its children: the pauses, what admission alters, the last status.

Kept in memory, one `Standing` per pool. What follows from it is decided in `planning.pacing` and `planning.admission`.
An operator that starts knows nothing, and learns it from at most one write of each child.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import structs

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.status import PoolStatus
from modelpool_operator.cluster.execute import Outcome
from modelpool_operator.planning import pacing
from modelpool_operator.planning.admission import altered_in, as_asked
from modelpool_operator.planning.child_changes import KEPT, UNCHANGEABLE
from modelpool_operator.planning.comparison import Difference
from modelpool_operator.planning.interference import Interference
from modelpool_operator.planning.manifests import ChildRef, Manifest, ref_of
from modelpool_operator.planning.observed import Observed
from modelpool_operator.planning.pacing import Book, Paced
from modelpool_operator.planning.plan import Plan

TELL_EVERY: Final = 20.0
"""Least seconds between two statuses of a pool whose children are fought over: each turn restarts engines, and would be
told in several."""
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Standing:
    """One pool's."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._book: Book = {}
        self._altered: dict[ChildRef, tuple[Difference, ...]] = {}
        self._told: float | None = None
        self._said: PoolStatus | None = None
        """What was told last, without its times."""
        self._undone = 0
        """How often somebody else has written over it."""
        self._due: float | None = None
        """When the status is to be told, where it may not be now."""
        self._unchanged = False
        """Whether a write came back as what was there: then no watch tells of it."""

    @property
    def refused(self) -> Mapping[ChildRef, str]:
        """What the API server does not take, with what it said."""
        return pacing.refused_in(self._book)

    @property
    def fights(self) -> tuple[str, ...]:
        """Children that are fought over, as sentences."""
        return pacing.fights(self._book, self._clock())

    def held_back(self, paced: Paced) -> tuple[str, ...]:
        """Return the changes that wait for their time, as sentences."""
        return pacing.held_back(self._book, paced)

    def as_asked(self, children: Mapping[ChildRef, Manifest]) -> Mapping[ChildRef, Manifest]:
        """Return the children without what admission made of them."""
        return {ref: as_asked(live, self._altered.get(ref, ())) for ref, live in children.items()}

    def paced(self, plan: Plan) -> Paced:
        """Return what of a plan is carried out now."""
        self._book = pacing.current(self._book, self._clock())
        return pacing.paced(plan, self._book, self._clock())

    def note(
        self,
        paced: Paced,
        done: Outcome,
        put_back: Collection[Interference],
        observed: Observed,
        *,
        editor: str | None,
        time: datetime,
    ) -> None:
        """Remember what was done, and how it was taken."""
        wanted = paced.plan.changed
        self._book = pacing.noted(
            self._book,
            paced,
            refused=done.refused,
            causes={one.child: one for one in put_back},
            absent=wanted.keys() - observed.children.keys(),
            editor=editor,
            now=self._clock(),
            time=time,
        )
        applied = {ref_of(manifest) for manifest in paced.plan.apply}
        for ref, answer in done.answers.items():
            fixed = ref.kind in UNCHANGEABLE | KEPT
            self._altered[ref] = () if fixed else altered_in(wanted[ref], answer, trimmed=ref not in applied)
        gone = self._altered.keys() - observed.children.keys() - done.answers.keys()
        self._altered = {ref: found for ref, found in self._altered.items() if found and ref not in gone}
        versions = {ref: live["metadata"].get("resourceVersion") for ref, live in observed.children.items()}
        self._unchanged = any(
            answer["metadata"].get("resourceVersion") == versions.get(ref) for ref, answer in done.answers.items()
        )

    def news_of(self, put_back: Collection[Interference], done: Outcome) -> Iterator[Interference]:
        """Yield what has been put back and is told as an Event: not what admission makes, nor what is fought over."""
        for one in put_back:
            known, altered = self._book.get(one.child), self._altered.get(one.child, ())
            fought = known is not None and known.is_fought_over
            if one.child in done.answers and not fought and one.field not in {found.path for found in altered}:
                yield one

    def may_tell(self, status: PoolStatus, previous: PoolStatus | None) -> bool:
        """Return whether the status may be written now, and take it that it is.

        One that somebody else writes over is written again less and less often, as children are.
        """
        now, said = self._clock(), essence(status)
        undone = said == self._said and (previous is None or essence(previous) != said)
        pause = pacing.pause_after(self._undone - pacing.FREE, pacing.LONGEST) if undone else 0.0
        pause = max(pause, TELL_EVERY if self.fights else 0.0)
        self._due = None if self._told is None or now - self._told >= pause else self._told + pause
        if self._due is not None:
            return False
        calm = self._told is None or now - self._told >= pause + pacing.CALM
        if said != self._said or (undone and calm):
            self._undone = 0
        self._undone += undone
        if said != self._said or undone:
            self._said, self._told = said, now
        return True

    def next_look(self, paced: Paced) -> float | None:
        """Return the seconds until the pool is to be looked at again, or None."""
        times = [pacing.next_look(self._book, paced, self._clock()), 0.0 if self._unchanged else None]
        if self._due is not None:
            times.append(self._due - self._clock())
        return min((max(0.0, one) for one in times if one is not None), default=None)


def essence(status: PoolStatus) -> PoolStatus:
    """Return a status without the times of its conditions."""
    conditions = tuple(structs.replace(one, last_transition_time=_NEVER) for one in status.conditions)
    return structs.replace(status, conditions=conditions)


class Standings:
    """All pools'. One event loop; no locks."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._standings: dict[ObjectRef, Standing] = {}

    def of(self, ref: ObjectRef) -> Standing:
        """Return a pool's standing."""
        return self._standings.setdefault(ref, Standing(self._clock))

    def drop(self, ref: ObjectRef) -> None:
        """Forget a pool."""
        self._standings.pop(ref, None)
