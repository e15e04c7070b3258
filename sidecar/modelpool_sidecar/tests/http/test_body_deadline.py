"""When a body is late, and how many bytes all of them may have: pure rules, held for any course of events."""

from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.http.limits import Limit, Limits
from modelpool_sidecar.http.server.body_deadline import GRACE_SECONDS, Pace
from modelpool_sidecar.http.server.body_memory import FREE_BYTES, Bodies, Share

LIMITS = Limits(body_timeout=300.0, min_body_rate=1000)


def test_a_body_has_ten_seconds_then_its_rate_then_its_whole_time() -> None:
    pace = Pace(LIMITS, 100.0)
    assert (pace.due(0, 0.0), pace.reached(0)) == (110.0, Limit.BODY_RATE)
    assert pace.due(10_000, 0.0) == 110.0
    assert (pace.due(50_000, 0.0), pace.reached(50_000)) == (150.0, Limit.BODY_RATE)
    assert (pace.due(10_000_000, 0.0), pace.reached(10_000_000)) == (400.0, Limit.BODY_SECONDS)
    pace.bounded = False
    assert (pace.due(10_000_000, 0.0), pace.reached(10_000_000)) == (10_100.0, Limit.BODY_RATE)


@given(st.lists(st.tuples(st.floats(0.001, 60), st.integers(0, 200_000)), max_size=40), st.booleans())
def test_who_is_in_time_has_kept_both_bounds_and_who_is_late_has_broken_one(
    course: list[tuple[float, int]], bounded: bool
) -> None:
    pace, now, received = Pace(LIMITS, 0.0), 0.0, 0
    pace.bounded = bounded
    for seconds, size in course:
        now += seconds
        slow = now >= GRACE_SECONDS and received <= now * LIMITS.min_body_rate
        late = bounded and now >= LIMITS.body_timeout
        due = pace.due(received, now)
        if abs(now - due) > 1e-6:  # else it is a question of rounding
            assert (now > due) is (slow or late)
        if now >= due:
            return
        received += size


def test_time_in_which_nothing_is_taken_does_not_count() -> None:
    pace = Pace(LIMITS, 0.0)
    pace.hold(5.0)
    assert pace.due(0, 5.0) == 10.0
    assert pace.due(0, 900.0) == 905.0
    pace.go_on(1005.0)
    assert pace.due(0, 1006.0) == 1010.0


MOST = 1_000_000
SIZES = st.integers(0, 2 * MOST)


@given(st.lists(st.tuples(st.integers(0, 5), st.one_of(SIZES, st.none())), max_size=60))
def test_bodies_stay_within_their_bytes_unless_one_is_alone(course: list[tuple[int, int | None]]) -> None:
    limits = Limits(max_bodies_bytes=MOST)
    bodies = Bodies(limits)
    shares = [Share(bodies) for _ in range(6)]
    for who, size in course:
        share = shares[who]
        if size is None:
            share.let_go()
        elif size >= share.size:
            alone = bodies.held == share.size
            room = size <= FREE_BYTES or alone or bodies.held - share.size + size <= MOST
            assert share.grow(size) is room
        assert bodies.held == sum(one.size for one in shares)
        assert bodies.held <= MOST or sum(one.size > 0 for one in shares) == 1
    for share in shares:
        share.let_go()
    assert bodies.held == 0
