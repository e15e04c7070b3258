"""The guard: that it tells a costly change from a busy machine, and what it says of the gateway as it is."""

import sys

import pytest

from .. import built, guard
from ..built import COMPILED, INTERPRETED
from ..guard import ALL, Pair, Verdict
from ..load import LoadError

HELD = ALL[0]


def rounds(*ratios: float) -> tuple[Pair, ...]:
    return tuple(Pair(gateway=ratio * 10.0, relay=10.0) for ratio in ratios)


def test_a_ratio_is_the_lower_quartile_of_the_rounds() -> None:
    assert Verdict(held=HELD, build=COMPILED, pairs=rounds(9.0, 1.0, 2.0, 3.0)).ratio == 2.0


@pytest.mark.parametrize("build", [COMPILED, INTERPRETED])
@pytest.mark.parametrize(("change", "want"), [(0.7, True), (1.0, True), (1.1, True), (1.3, False)])
def test_a_change_that_costs_thirty_percent_does_not_pass(change: float, want: bool, build: str) -> None:
    usual = HELD.references[build]
    disturbed = rounds(*(usual * change * factor for factor in (0.95, 1.0, 1.0, 1.0, 1.04, 1.1, 1.2, 3.0)))
    assert Verdict(held=HELD, build=build, pairs=disturbed).passes is want


def test_no_more_is_measured_than_a_verdict_needs() -> None:
    asked = []

    def more() -> list[tuple[Pair, ...]]:
        asked.append(1)
        return [rounds(held.references[COMPILED]) for held in ALL]

    assert all(verdict.passes for verdict in guard.judge(more, COMPILED))
    assert len(asked) == 1


def test_a_bad_set_of_rounds_is_measured_again_and_judged_with_the_first() -> None:
    sets = [[1.2, 1.2, 1.2], [1.0, 1.0, 1.0, 1.0], [2.0]]  # the third is not needed

    def more() -> list[tuple[Pair, ...]]:
        factors = sets.pop(0)
        return [rounds(*(held.references[COMPILED] * factor for factor in factors)) for held in ALL]

    verdicts = guard.judge(more, COMPILED)
    assert [len(verdict.pairs) for verdict in verdicts] == [7] * len(ALL)
    assert all(verdict.passes for verdict in verdicts)


def test_what_stays_bad_fails() -> None:
    verdicts = guard.judge(lambda: [rounds(held.references[COMPILED] * 1.3) for held in ALL], COMPILED)
    assert not any(verdict.passes for verdict in verdicts)
    assert "TOO MUCH" in str(verdicts[0])


@pytest.mark.timeout(420)  # the gateway may have to be compiled first
@pytest.mark.skipif(sys.platform != "linux", reason="processor time of other processes is read as Linux has it")
def test_the_gateway_costs_no_more_than_it_did() -> None:
    try:
        with guard.stage(0.0, print) as measure:
            verdicts = guard.judge(lambda: measure(guard.ROUNDS), built.measured().kind)
    except LoadError as error:
        pytest.skip(str(error))
    told = "\n".join([guard.HEADING, *map(str, verdicts)])
    print(told)
    assert all(verdict.passes for verdict in verdicts), (
        f"\n{told}\nIf the change is worth its cost, say so where the references are (bench/gateway, guard.py)."
    )
