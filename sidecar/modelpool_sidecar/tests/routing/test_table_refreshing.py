"""A table that is refreshed address by address is the table that would be built."""

from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from modelpool_sidecar.routing import documents, table, table_building, table_refreshing
from modelpool_sidecar.routing.table import Address, Probed, RoutingTable, ServiceRef

from .worlds import ENGINES, document, entry, model

URLS: Final = ("http://a:1", "http://b:1", "http://c:1")
NAMES: Final = ("one", "two", "two:latest", "Three")
ROOM: Final = settings(max_examples=100, deadline=None)

BACKEND = st.builds(entry, st.sampled_from(ENGINES), st.sampled_from(URLS), model=st.sampled_from(NAMES))
MODEL = st.builds(
    lambda name, backends, aliases: model(name, *backends, aliases=tuple(aliases)),
    st.sampled_from(NAMES),
    st.lists(BACKEND, min_size=1, max_size=3),
    st.lists(st.sampled_from(NAMES), max_size=2),
)
ROUTES = st.lists(st.lists(MODEL, min_size=1, max_size=3), min_size=1, max_size=2).map(
    lambda pools: [document(*models, pool=f"pool-{number}", age=number) for number, models in enumerate(pools)]
)
PROBED = st.builds(Probed, alive=st.booleans(), models=st.none() | st.frozensets(st.sampled_from(NAMES)))
ADDRESSES = st.lists(st.builds(Address, url=st.sampled_from(URLS), ready=st.booleans()), max_size=2)


def services(routes: list[documents.RoutesDocument]) -> set[ServiceRef]:
    return {table.service_of(one.pool, item) for one in routes for entry in one.models for item in entry.backends}


def identities(found: RoutingTable) -> dict[str, int]:
    """Which of its models a table has under each name."""
    known = {id(one): place for place, one in enumerate(found.models)}
    return {name: known[id(one)] for name, one in found.names.items()}


@given(routes=ROUTES, learnt=st.lists(st.tuples(st.sampled_from(URLS), PROBED), max_size=6), data=st.data())
@ROOM
def test_a_refreshed_table_is_the_one_that_would_be_built(
    routes: list[documents.RoutesDocument], learnt: list[tuple[str, Probed]], data: st.DataObject
) -> None:
    addresses = {service: tuple(data.draw(ADDRESSES)) for service in sorted(services(routes))}
    probed: dict[str, Probed] = {}
    live = table_building.build(routes, addresses, probed)
    for url, known in learnt:
        probed[url] = known
        live = table_refreshing.refreshed(live, url, addresses, probed)
        want = table_building.build(routes, addresses, probed)
        assert live == want
        assert identities(live) == identities(want)


def test_models_that_stand_elsewhere_are_the_same() -> None:
    here, there = (entry("vllm", url) for url in URLS[:2])
    routes = document(model("one", here), model("two", there))
    addresses = {ServiceRef("", url, 0): (Address(url=url, ready=True),) for url in URLS[:2]}
    before = table_building.build([routes], addresses, {})
    after = table_refreshing.refreshed(before, URLS[0], addresses, {URLS[0]: Probed(alive=False)})
    assert not after.names["one"].ready
    assert before.names["one"].ready
    assert after.names["two"] is before.names["two"]
    assert after.places is before.places


def test_an_address_that_nobody_has_changes_nothing() -> None:
    before = table_building.build([document()], {}, {})
    assert table_refreshing.refreshed(before, "http://x:1", {}, {"http://x:1": Probed(alive=True)}) is before


def test_what_models_have_alike_is_there_once() -> None:
    """Each request looks at it: what is there once is in the processor's cache."""
    routes = document(*(model(name, entry("ollama", URLS[0], model=name, can=("tools",))) for name in NAMES[:2]))
    addresses = {ServiceRef("", URLS[0], 0): (Address(url=URLS[0], ready=True),)}
    fresh = table_building.build([routes], addresses, {URLS[0]: Probed(alive=False)})
    for live in (fresh, table_refreshing.refreshed(fresh, URLS[0], addresses, {URLS[0]: Probed(alive=True)})):
        one, two = (found.backends[0] for found in live.models)
        assert one.key is two.key
        assert one.capabilities is two.capabilities
        assert one.endpoints is two.endpoints
