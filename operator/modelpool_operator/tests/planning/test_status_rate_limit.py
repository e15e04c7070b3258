"""How often a status is written, on a clock of the test's."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelpool_operator.api.status import Condition, ConditionStatus, PoolStatus
from modelpool_operator.planning.reporting import status_rate_limit
from modelpool_operator.planning.reporting.status_rate_limit import BURST, StatusWrites

START = datetime(2026, 11, 30, tzinfo=UTC)
MOST = 6
"""Statuses in any minute after the first, where nothing else is written."""


def status(ready: bool = True, message: str = "", generation: int = 1, reason: str = "X") -> PoolStatus:
    one = Condition(
        type="Ready",
        status=ConditionStatus.TRUE if ready else ConditionStatus.FALSE,
        reason=reason,
        message=message,
        observed_generation=generation,
        last_transition_time=START,
    )
    return PoolStatus(observed_generation=generation, conditions=(one,), ready_models="1/1", gpu_count=1)


class Pool:
    """A pool's status as it is there, and the seconds of its writes."""

    def __init__(self) -> None:
        self.there: PoolStatus | None = None
        self.telling = StatusWrites()
        self.writes: list[float] = []

    def report(self, new: PoolStatus, now: float, by: str | None = None) -> None:
        time = START + timedelta(seconds=now)
        self.telling = status_rate_limit.seen(self.telling, self.there, by, now=now, time=time)
        if self.telling.due(new, now) <= now and new != self.there:
            self.there = new
            self.telling = status_rate_limit.told(self.telling, new, now=now)
            self.writes.append(now)

    def busiest(self, since: float) -> int:
        times = [when for when in self.writes if when >= since]
        return max((sum(first <= when < first + 60 for when in times) for first in times), default=0)


ACTORS: dict[str, Callable[[int], PoolStatus]] = {
    "the spec": lambda turn: status(generation=turn),
    "pods": lambda turn: status(ready=turn % 2 == 0),
    "words": lambda turn: status(message=str(turn)),
    "nothing": lambda _: status(),
}


@settings(deadline=None)
@given(
    what=st.sampled_from(sorted(ACTORS)),
    wiped=st.booleans(),
    pauses=st.lists(st.floats(0.1, 20), min_size=1, max_size=5),
)
def test_nothing_makes_a_status_be_written_without_end(what: str, wiped: bool, pauses: list[float]) -> None:
    pool, now, turn = Pool(), 0.0, 0
    pool.telling = status_rate_limit.opened(pool.telling, now=0.0)
    while now < 1200:
        if wiped:
            pool.there = status(reason="Wiped")
        new = ACTORS[what](turn)
        pool.report(new, now)
        said = pool.telling.said
        assert said is not None
        assert new.conditions[0].status is ConditionStatus.TRUE or said.conditions[0].status is ConditionStatus.FALSE
        now += pauses[turn % len(pauses)]
        turn += 1
    assert pool.busiest(since=60) <= MOST


def test_that_a_pool_is_not_ready_is_told_at_once_and_the_way_back_waits() -> None:
    pool = Pool()
    for second in range(120):
        pool.report(status(ready=second % 2 == 0), float(second))
        assert pool.there is not None
        assert second % 2 == 0 or pool.there.conditions[0].status is ConditionStatus.FALSE
    assert len(pool.writes) <= BURST + 120 / status_rate_limit.EVERY + 1


def test_other_words_for_the_same_leave_room_for_what_matters() -> None:
    pool = Pool()
    for second in range(100):
        pool.report(status(ready=False, message=str(second)), float(second))
    pool.report(status(), 100.0)
    assert pool.writes[-1] == 100.0


def test_whoever_writes_over_a_status_is_named_and_meets_longer_and_longer_pauses() -> None:
    pool = Pool()
    pool.report(status(), 0.0)
    for second in range(1, 700):
        pool.there = None
        pool.report(status(), float(second), by="restore")
    assert pool.writes == [0, 1, 2, 3, 4, 21, 41, 81, 161, 321, 621]
    assert pool.telling.words(700) == (
        "'restore' writes over the status; written again 10 times since 2026-11-30T00:00:01Z"
    )
    pool.report(status(), 921.0)
    pool.report(status(), 930.0)
    assert pool.telling.words(1000.0) is None


@pytest.mark.parametrize("every", [61.0, 500.0])
def test_who_writes_over_a_status_now_and_then_is_named_all_the_while(every: float) -> None:
    pool = Pool()
    pool.report(status(), 0.0)
    for turn in range(1, 8):
        pool.there = None
        pool.report(status(), turn * every)
    assert pool.telling.words(8 * every - 1) is not None


def test_a_status_that_is_there_is_not_written_again_and_costs_nothing() -> None:
    pool = Pool()
    for second in range(100):
        pool.report(status(), float(second))
    assert pool.writes == [0.0]
    assert pool.telling.left_at(100.0) == BURST


def test_what_becomes_of_a_change_of_the_pool_is_told_step_by_step() -> None:
    pool = Pool()
    pool.telling = status_rate_limit.opened(pool.telling, now=0.0)
    for second in range(12):
        pool.report(status(ready=False, reason=f"Step{second}"), float(second))
    assert len(pool.writes) == 12
    assert pool.telling.left_at(12.0) < 1.0, "others find nothing left"
