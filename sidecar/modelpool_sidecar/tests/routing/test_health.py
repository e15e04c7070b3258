"""What one request says about an engine, and what several say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.routing.health import IN_A_ROW, NO_BREAK, ROW_SECONDS, Outcome, Row, Verdict, judged

ANSWERED, COMPLAINED, BROKE, REFUSED = Outcome
FINE, SUSPECT, DEAD = Verdict
CASES: dict[str, tuple[list[tuple[float, Outcome]], Verdict]] = {
    "an answer is fine": ([(0, ANSWERED)], FINE),
    "a break makes a suspect": ([(0, BROKE)], SUSPECT),
    "a refused connection is death": ([(0, REFUSED)], DEAD),
    "breaks in a row are death": ([(one, BROKE) for one in range(IN_A_ROW)], DEAD),
    "one break less is none": ([(one, BROKE) for one in range(IN_A_ROW - 1)], SUSPECT),
    "an answer ends the row": ([*((one, BROKE) for one in range(IN_A_ROW - 1)), (4, ANSWERED), (5, BROKE)], SUSPECT),
    "so does time": ([*((one, BROKE) for one in range(IN_A_ROW - 1)), (4 + ROW_SECONDS, BROKE)], SUSPECT),
    "complaints are asked after, and no breaks": ([(one, COMPLAINED) for one in range(2 * IN_A_ROW)], SUSPECT),
    "a complaint does not end a row": ([*((0, BROKE) for _ in range(IN_A_ROW - 1)), (1, COMPLAINED), (2, BROKE)], DEAD),
}


@pytest.mark.parametrize(("told", "want"), CASES.values(), ids=CASES.keys())
def test_the_last_verdict(told: list[tuple[float, Outcome]], want: Verdict) -> None:
    row, verdict = NO_BREAK, FINE
    for now, outcome in told:
        row, verdict = judged(row, outcome, now)
    assert verdict is want


@given(st.lists(st.tuples(st.floats(0, 20), st.sampled_from([ANSWERED, BROKE])), max_size=60))
def test_no_engine_is_dead_that_answered_within_its_last_requests(steps: list[tuple[float, Outcome]]) -> None:
    row, now, since = Row(), 0.0, 0
    for step, outcome in steps:
        now += step
        row, verdict = judged(row, outcome, now)
        since = 0 if outcome is ANSWERED else since + 1
        if verdict is DEAD:
            assert since >= IN_A_ROW
        assert (verdict is FINE) == (outcome is ANSWERED)
