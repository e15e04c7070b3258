"""What one attempt says about an engine, and what several say; and what follows for the request that failed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.routing import choose, health, table, table_building
from modelpool_sidecar.routing.choose import Target
from modelpool_sidecar.routing.health import IN_A_ROW, RETURN_SECONDS, ROW_SECONDS, Failure, Health, Outcome, Verdict
from modelpool_sidecar.routing.route_request import RouteRequest

from .worlds import Loads, document

URL = "http://a:1"
ANSWERED, COMPLAINED, BROKE, REFUSED = None, Failure.STATUS, Failure.CLOSED, Failure.REFUSED
FINE, SUSPECT, DEAD = Verdict
CASES: dict[str, tuple[list[tuple[float, Failure | None]], Verdict]] = {
    "an answer is fine": ([(0, ANSWERED)], FINE),
    "a break makes a suspect": ([(0, BROKE)], SUSPECT),
    "a refused connection is death": ([(0, REFUSED)], DEAD),
    "breaks in a row are death": ([(one, BROKE) for one in range(IN_A_ROW)], DEAD),
    "one break less is none": ([(one, BROKE) for one in range(IN_A_ROW - 1)], SUSPECT),
    "an answer ends the row": ([*((one, BROKE) for one in range(IN_A_ROW - 1)), (4, ANSWERED), (5, BROKE)], SUSPECT),
    "so does time": ([*((one, BROKE) for one in range(IN_A_ROW - 1)), (4 + ROW_SECONDS, BROKE)], SUSPECT),
    "complaints are asked after, and no breaks": ([(one, COMPLAINED) for one in range(2 * IN_A_ROW)], SUSPECT),
    "a complaint does not end a row": ([*((0, BROKE) for _ in range(IN_A_ROW - 1)), (1, COMPLAINED), (2, BROKE)], DEAD),
    "our own shortage says nothing": ([*((0, BROKE) for _ in range(IN_A_ROW - 1)), (1, Failure.SHORTAGE)], FINE),
    "nor does it end a row": ([*((0, BROKE) for _ in range(IN_A_ROW - 1)), (1, Failure.SHORTAGE), (2, BROKE)], DEAD),
    "a busy engine lives": ([(0, Failure.BUSY)], FINE),
}


@pytest.mark.parametrize(("ended", "want"), CASES.values(), ids=CASES.keys())
def test_the_last_verdict(ended: list[tuple[float, Failure | None]], want: Verdict) -> None:
    known, verdict = Health(), FINE
    for now, failure in ended:
        verdict = known.ended(URL, Outcome(failure), now)
    assert verdict is want


@given(st.lists(st.tuples(st.floats(0, 20), st.sampled_from([ANSWERED, BROKE])), max_size=60))
def test_no_engine_is_dead_that_answered_within_its_last_requests(steps: list[tuple[float, Failure | None]]) -> None:
    known, now, since = Health(), 0.0, 0
    for step, failure in steps:
        now += step
        verdict = known.ended(URL, Outcome(failure), now)
        since = 0 if failure is ANSWERED else since + 1
        if verdict is DEAD:
            assert since >= IN_A_ROW
        assert (verdict is FINE) == (failure is ANSWERED)


@given(st.lists(st.tuples(st.floats(0, 9), st.sampled_from(["lost", "lost again", "lives"])), max_size=30))
def test_who_died_is_waited_for_as_long_as_it_may_be_back(steps: list[tuple[float, str]]) -> None:
    known, now, died, lives = Health(), 0.0, None, True
    for step, what in steps:
        now += step
        if what == "lives":
            known.lives(URL)
            died, lives = None, True
            continue
        returning = known.lost(URL, now, lived=lives)
        died = now if lives else died
        lives = False
        assert returning == (died is not None and now - died < RETURN_SECONDS)
        died = died if returning else None


def test_what_is_known_goes_with_the_address() -> None:
    known = Health()
    known.ended(URL, Outcome(BROKE), 0)
    known.suspect(URL)
    known.lost(URL, 0, lived=True)
    known.fell_silent(URL)
    known.keep(["http://b:1"])
    assert (known.breaks, known.suspects, known.silent, known.suspicion(URL)) == ({}, frozenset(), frozenset(), 0)
    assert not known.lost(URL, 0, lived=False)


URLS = tuple(f"http://{name}:1" for name in "abcd")
SENT = (Failure.CLOSED, Failure.DIED)


@given(st.lists(st.sampled_from(Failure), min_size=len(URLS) * 3, max_size=len(URLS) * 3))
def test_no_request_breaks_more_than_two_engines_nor_is_put_to_one_twice_that_had_it(kinds: list[Failure]) -> None:
    routes = document()
    services = [table.service_of(routes.pool, item) for item in routes.models[0].backends]
    halves = {services[0]: URLS[:2], services[1]: URLS[2:]}
    addresses = {key: tuple(table.Address(url=url, ready=True) for url in urls) for key, urls in halves.items()}
    live = table_building.build([routes], addresses, {})
    wanted, had, asked, broken = RouteRequest(model="qwen3:8b"), set[str](), list[str](), 0
    for kind in kinds:
        target = choose.choose(live, Loads(), wanted)
        if not isinstance(target, Target):
            break
        assert target.url not in had
        asked.append(target.url)
        if kind is not Failure.REFUSED:
            had.add(target.url)
        broken += kind in SENT
        wanted = health.after(wanted, kind, target.url)
    assert broken <= choose.MOST_BREAKS
    assert max(asked.count(url) for url in asked) <= 2, "a refusal may be met once more"
    if broken < choose.MOST_BREAKS:
        assert set(asked) == set(URLS)
