import random

import pytest

from modelpool_hostile import cases
from modelpool_hostile.case import CASES, Case
from modelpool_hostile.results import Outcome
from modelpool_hostile.rounds import batches, first_of
from modelpool_hostile.wire import NotHeldError
from modelpool_hostile.world import World

assert cases.__all__


async def nothing(world: World, chance: random.Random) -> None:
    """Attack nobody."""


def test_every_case_is_tried_once_and_those_alone_are_alone() -> None:
    chosen = list(CASES.values())
    found = list(batches(chosen, random.Random(1), 8))
    assert sorted(case.name for batch in found for case in batch) == sorted(CASES)
    assert all(len(batch) == 1 for batch in found if any(case.alone for case in batch))
    assert max(len(batch) for batch in found) == 8


def test_the_order_follows_from_the_seed() -> None:
    chosen = list(CASES.values())
    assert list(batches(chosen, random.Random(7), 8)) == list(batches(chosen, random.Random(7), 8))
    assert list(batches(chosen, random.Random(7), 8)) != list(batches(chosen, random.Random(8), 8))


def test_every_case_says_what_it_is() -> None:
    assert [case.name for case in CASES.values() if not case.attack.__doc__] == []


def test_what_is_no_failure_of_the_gateway_is_raised() -> None:
    with pytest.raises(ExceptionGroup):
        first_of(ExceptionGroup("", [ValueError("a bug of a case")]))
    assert str(first_of(ExceptionGroup("", [ExceptionGroup("", [NotHeldError("seen")])]))) == "seen"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 0),
        ({"failed": 1}, 1),
        ({"innocent_failed": 1}, 1),
        ({"innocent_p99_ms": 100.0}, 1),
        ({"growth_mib": 64.0}, 1),
        ({"tried": 0}, 1),
        ({"innocent_asked": 0}, 1),
    ],
)
def test_the_exit_status_tells_whether_all_held(change: dict[str, float], status: int) -> None:
    told = {"tried": 3, "held": 3, "innocent_asked": 100, "innocent_p99_ms": 9.6, "growth_mib": 2.0} | change
    assert Outcome(**told).status(100.0) == status  # type: ignore[arg-type]


def test_the_last_line() -> None:
    outcome = Outcome(tried=3, held=2, failed=1, innocent_asked=5, innocent_p99_ms=9.6, growth_mib=2.4)
    outcome.add(Outcome(tried=1, held=1, innocent_asked=5, innocent_p99_ms=3.0, growth_mib=7.0))
    assert outcome.last_line() == ("tried=4 held=3 failed=1 innocent_failed=0 innocent_p99_ms=10 rss_growth_mib=7")


def test_a_case_is_what_it_was_registered_as() -> None:
    assert Case(name="x", attack=nothing).seconds == 30.0
