"""The shortcut says what the choice would say, or nothing."""

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelpool_sidecar.routing import choose, table_building
from modelpool_sidecar.routing.choose import Target
from modelpool_sidecar.routing.documents import ModelEntry
from modelpool_sidecar.routing.route_request import RouteRequest
from modelpool_sidecar.routing.table import Address, RoutingTable, ServiceRef
from modelpool_sidecar.routing.target_cache import TargetCache

from .worlds import ENGINES, OLLAMA, VLLM, Loads, built, document, entry, model

URLS: Final = ("http://a:1", "http://b:1")
NAMES: Final = ("one", "One", "two", "two:latest")
NEEDS: Final = st.frozensets(st.sampled_from(("vision", "tools")))
BACKEND: Final = st.builds(
    entry,
    st.sampled_from(ENGINES),
    st.sampled_from(URLS),
    can=st.none() | st.just(("tools",)),
    room=st.integers(1, 2),
)
ROUTES: Final = st.lists(
    st.builds(
        lambda name, backends: model(name, *backends),
        st.sampled_from(NAMES),
        st.lists(BACKEND, min_size=1, max_size=2),
    ),
    min_size=1,
    max_size=3,
)
ADDRESSES: Final = st.lists(st.builds(Address, url=st.sampled_from(URLS), ready=st.booleans()), max_size=2)
WANTED: Final = st.builds(
    RouteRequest,
    model=st.sampled_from(NAMES),
    needs=NEEDS,
    engines=st.frozensets(st.sampled_from(ENGINES)),
    tried=st.frozensets(st.sampled_from(URLS)),
)
LOADS: Final = st.dictionaries(st.sampled_from(URLS), st.integers(0, 2)).map(Loads)


def facts(target: Target) -> tuple[object, ...]:
    return target.model, target.backend, target.endpoint, target.route, target.why


@given(
    models=ROUTES,
    addresses=st.fixed_dictionaries({ServiceRef("", url, 0): ADDRESSES.map(tuple) for url in URLS}),
    asked=st.lists(st.tuples(WANTED, LOADS), max_size=12),
)
@settings(deadline=None)
def test_what_is_usual_is_what_would_be_chosen(
    models: list[ModelEntry], addresses: dict[ServiceRef, tuple[Address, ...]], asked: list[tuple[RouteRequest, Loads]]
) -> None:
    table, usual = table_building.build([document(*models)], addresses, {}), TargetCache()
    for wanted, loads in asked:
        found, chosen = usual.find(wanted, loads), choose.choose(table, loads, wanted)
        if found is not None:
            assert isinstance(chosen, Target)
            assert facts(found) == facts(chosen)
        if isinstance(chosen, Target):
            usual.learn(chosen)


def learnt(table: RoutingTable, wanted: RouteRequest) -> TargetCache:
    chosen, usual = choose.choose(table, Loads(), wanted), TargetCache()
    assert isinstance(chosen, Target)
    usual.learn(chosen)
    return usual


def test_a_second_request_is_given_the_same() -> None:
    table, wanted = built(document(model("one", entry("vllm", VLLM, room=2)))), RouteRequest(model="one")
    usual = learnt(table, wanted)
    assert usual.find(wanted, Loads({VLLM: 1})) is usual.find(wanted, Loads())
    assert usual.find(wanted, Loads({VLLM: 1})) is not None
    assert usual.find(wanted, Loads({VLLM: 2})) is None
    usual.forget()
    assert usual.find(wanted, Loads()) is None


@pytest.mark.parametrize(
    "special",
    [
        RouteRequest(model="one", needs=frozenset({"vision"})),
        RouteRequest(model="one", tried=frozenset({VLLM})),
        RouteRequest(model="one", engines=frozenset({"ollama"})),
        RouteRequest(model="two"),
    ],
    ids=["needs", "tried", "engines", "model"],
)
def test_whoever_wants_something_special_must_be_chosen_for(special: RouteRequest) -> None:
    usual = learnt(built(document(model("one", entry("vllm", VLLM)))), RouteRequest(model="one"))
    assert usual.find(RouteRequest(model="one"), Loads()) is not None
    assert usual.find(special, Loads()) is None


def test_where_there_is_a_choice_nothing_is_usual() -> None:
    one, wanted = model("one", entry("vllm", VLLM), entry("ollama", OLLAMA)), RouteRequest(model="one")
    both = tuple(Address(url=url, ready=True) for url in URLS)
    for table in (
        built(document(one), dead=(VLLM,)),
        table_building.build([document(one)], {ServiceRef("", VLLM, 0): both}, {}),
    ):
        assert learnt(table, wanted).find(wanted, Loads()) is None


def test_other_spellings_are_not_kept() -> None:
    """There is no end of them."""
    wanted = RouteRequest(model="ONE")
    assert learnt(built(document(model("one", entry("vllm", VLLM)))), wanted).find(wanted, Loads()) is None
