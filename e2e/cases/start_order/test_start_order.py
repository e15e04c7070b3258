"""The start order in short: a few rounds with the lock hold, and a round without it does not."""

import pytest
from start_order_rounds import run


@pytest.mark.timeout(600)
def test_engines_of_a_card_start_one_after_the_other_whoever_is_killed() -> None:
    said: list[str] = []
    outcome = run(rounds=2, with_lock=True, seed=7, say=said.append)
    assert outcome.line == "rounds=2 ok=2 overlapping_profiles=0", said


@pytest.mark.timeout(600)
def test_without_the_lock_they_break_each_other() -> None:
    said: list[str] = []
    outcome = run(rounds=1, with_lock=False, seed=7, say=said.append)
    assert outcome.ok == 0, said
    assert outcome.overlapping_profiles > 0, said
    assert "ended by itself" in said[0]
