"""What follows from a failed attempt for the request, whatever came before."""

from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.routing import choose, table, table_building
from modelpool_sidecar.routing.choose import Target
from modelpool_sidecar.routing.health import Outcome
from modelpool_sidecar.routing.route_request import RouteRequest
from modelpool_sidecar.serving import failures
from modelpool_sidecar.serving.failures import Failure
from modelpool_sidecar.tests.routing.worlds import Loads, document

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
        wanted = failures.after(wanted, kind, target.url)
    assert broken <= choose.MOST_BREAKS
    assert max(asked.count(url) for url in asked) <= 2, "a refusal may be met once more"
    if broken < choose.MOST_BREAKS:
        assert set(asked) == set(URLS)


def test_every_failure_says_something_about_its_engine() -> None:
    assert {kind: failures.outcome(kind) for kind in Failure if failures.outcome(kind) is Outcome.BROKE} == {
        Failure.UNREACHED: Outcome.BROKE,
        Failure.CLOSED: Outcome.BROKE,
    }
    assert failures.outcome(Failure.REFUSED) is Outcome.REFUSED
