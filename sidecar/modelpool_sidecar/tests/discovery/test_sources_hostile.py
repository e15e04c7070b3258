"""One subject's data is that subject's trouble: whatever stands in a document, a ConfigMap, an EndpointSlice or an
event, the gateway lives and every other pool is served.
"""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.dialects import model_cards
from modelpool_sidecar.discovery.directory import Directory
from modelpool_sidecar.discovery.sources.complaints import PATIENCE, PAUSE, Complaints
from modelpool_sidecar.discovery.sources.objects import ApiRefusedError, ExpiredError, ObjectStore, Trouble
from modelpool_sidecar.discovery.sources.reading import snapshot
from modelpool_sidecar.engines.registry import PROFILES
from modelpool_sidecar.serving import models
from modelpool_sidecar.tests.routing.worlds import ENGINES

from ..gateway.scenes import CHAT, backend, document, put, scene, until
from ..gateway.scripted import Received, engine
from ..routing.test_documents import JSON, REFUSED, UNREADABLE
from .test_sources_cluster import Api, followed, names
from .test_sources_objects import ROUTES, at, config_map, endpoint_slice, listed, model_pool

OTHER = ROUTES | {
    "pool": {"namespace": "llm", "name": "other"},
    "models": [{"name": "m", "backends": [{"engine": "vllm", "service": "evil", "port": 8000, "model": "m"}]}],
}
DATA = {
    **{what: data.decode("latin-1") for what, data in UNREADABLE.items() if isinstance(data, bytes)},
    **{what: json.dumps(routes).replace('"agentic"', '"other"') for what, routes in REFUSED.items()},
}
ODD: tuple[object, ...] = (None, 3, [], {}, {"metadata": None}, {"metadata": {"name": 3, "namespace": []}})
SOME = JSON | st.sampled_from(["10.0.0.9", "http", 8000, "other", {"ready": True}, [], {}])
SHAPES = st.fixed_dictionaries(
    {},
    optional={
        "metadata": SOME
        | st.fixed_dictionaries(
            {"namespace": st.just("llm") | SOME, "name": st.text() | SOME},
            optional={
                "labels": SOME | st.just({"kubernetes.io/service-name": "evil"}),
                "ownerReferences": SOME | st.lists(SOME, max_size=2),
                "resourceVersion": SOME,
                "uid": SOME,
                "creationTimestamp": SOME,
            },
        ),
        "data": SOME | st.fixed_dictionaries({"routes.json": SOME | SOME.map(json.dumps)}),
        "addressType": SOME,
        "ports": SOME | st.lists(SOME | st.fixed_dictionaries({"port": SOME}, optional={"name": SOME}), max_size=2),
        "endpoints": SOME
        | st.lists(
            SOME
            | st.fixed_dictionaries({}, optional={"addresses": SOME | st.lists(SOME, max_size=2), "conditions": SOME}),
            max_size=2,
        ),
    },
)


def served(maps: Any = (), pools: Any = (), slices: Any = ()) -> list[tuple[str, bool]]:
    """Who is served beside these objects, as a gateway would have it, shown in every way there is."""
    ours = {"metadata": {"resourceVersion": "5"}}
    stores = []
    for own, more in (
        ([config_map(), config_map(OTHER, pool="other")], maps),
        ([model_pool(), model_pool("other")], pools),
        ([endpoint_slice(at("10.0.0.1"))], slices),
    ):
        store = ObjectStore()
        store.replace({**ours, "items": [*more, *own]})
        stores.append(store.objects)
    found, _ = snapshot(stores[0], stores[1], stores[2], {}, ENGINES)
    directory = Directory()
    directory.load(found.routes, found.addresses, trusted=True)
    cards = [models.card(one, PROFILES) for one in directory.table.models]
    for shown in (model_cards.tags(cards), model_cards.resident(cards, epoch_ns=0), model_cards.models(cards)):
        assert shown.status == 200
    return [one for one in names(directory) if one[0] == "qwen3:8b"]


@given(st.lists(SHAPES | SOME, max_size=2), st.lists(SHAPES | SOME, max_size=2), st.lists(SHAPES | SOME, max_size=2))
def test_whatever_objects_there_are_another_pool_is_served(maps: Any, pools: Any, slices: Any) -> None:
    assert served(maps, pools, slices) == [("qwen3:8b", True)]


@given(
    SOME
    | st.fixed_dictionaries(
        {"type": SOME | st.sampled_from(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"])},
        optional={"object": SHAPES | SOME | st.fixed_dictionaries({"code": SOME, "message": SOME})},
    )
)
def test_an_event_of_any_shape_is_taken_or_ends_the_watch(event: Any) -> None:
    store = listed(config_map())
    with contextlib.suppress(ApiRefusedError, ExpiredError):
        store.apply(event)
    assert store.resource_version


@given(SOME | SHAPES)
def test_a_list_of_any_shape_is_taken_or_refused(answer: Any) -> None:
    store = listed(config_map())
    try:
        store.replace(answer)
    except ApiRefusedError:
        assert len(store.objects) == 1


async def test_a_hostile_config_map_in_a_cluster_costs_the_others_nothing(tmp_path: Path) -> None:
    api = Api()
    api.items["configmaps"] = [config_map()]
    api.items["modelpools"] += [model_pool("other")]
    async with followed(tmp_path, api) as directory:
        await until(lambda: api.watched() and directory.loaded, seen=lambda: api.asked)
        for number, data in enumerate(DATA.values()):
            api.tell("configmaps", "MODIFIED", config_map(data, pool="other", version=str(100 + number)))
        for odd in ODD:
            for kind in api.items:
                api.tell(kind, "MODIFIED", odd)
        sane = ROUTES | {"models": [{"name": "qwen3:8b"}, {"name": "sign-of-life"}]}
        api.tell("configmaps", "MODIFIED", config_map(sane, version="999"))
        await until(
            lambda: names(directory) == [("qwen3:8b", False), ("sign-of-life", False)], seen=lambda: names(directory)
        )


@pytest.mark.parametrize("line", [b"\xff\n", b"[]\n", b"{\n", b'{"type":' + b"[" * 20_000 + b"\n"])
async def test_a_watch_that_says_no_event_is_begun_again(tmp_path: Path, line: bytes) -> None:
    api = Api()
    api.items["configmaps"] = [config_map()]
    async with followed(tmp_path, api) as directory:
        await until(lambda: api.watched() and directory.loaded, seen=lambda: api.asked)
        api.say("configmaps", line)
        api.tell("modelpools", "DELETED", model_pool())
        await until(lambda: names(directory) == [], seen=lambda: names(directory))
        await until(lambda: api.watched(), seen=lambda: api.asked)


async def test_only_the_metadata_of_pools_is_asked_for(tmp_path: Path) -> None:
    api = Api()
    async with followed(tmp_path, api):
        await until(api.watched, seen=lambda: api.asked)
    form = "application/json;as={};g=meta.k8s.io;v=v1,application/json"
    assert api.accepted["modelpools"] == {
        form.format("PartialObjectMetadataList"),
        form.format("PartialObjectMetadata"),
    }
    assert api.accepted["configmaps"] == {"application/json"}


async def answers(request: Received) -> None:
    await request.answer(b'{"choices":[]}')


async def test_no_routes_file_ends_the_gateway(tmp_path: Path) -> None:
    """Each of these did, or made a page of the gateway an error for all."""
    async with engine(answers) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        for number, data in enumerate((*UNREADABLE.values(), *map(json.dumps, REFUSED.values()))):
            fresh = gate.routes.with_suffix(".new")
            fresh.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
            fresh.rename(gate.routes)
            if number % 8 == 0:
                put(gate.routes, document(backend("vllm", vllm.url), name=f"m{number}"))
                await until(
                    lambda: [one.name for one in gate.running.directory.table.models] == [f"m{number}"],  # noqa: B023
                    seen=lambda: gate.running.directory.table,
                )
        put(gate.routes, document(backend("vllm", vllm.url)))
        await until(lambda: gate.ready() == [True], seen=gate.ready)
        for path in ("/api/tags", "/v1/models", "/modelpool/routes", "/api/ps", "/metrics"):
            async with gate.get(path) as response:
                assert response.status == 200, path
        async with gate.post("/v1/chat/completions", CHAT) as response:
            assert response.status == 200


def test_trouble_is_told_once_for_each_object_and_only_when_it_lasts() -> None:
    told = Complaints()
    one, two = Trouble("ConfigMap a/b", "is wrong"), Trouble("ConfigMap a/c", "is wrong")
    assert (told.look([one], 0.0), told.due) == ([], PATIENCE)
    assert told.look([one, two], PATIENCE) == [one]
    assert told.look([one, two], 2 * PATIENCE) == [two]
    assert (told.look([one, two], 3 * PATIENCE), told.due) == ([], None)
    changing = [told.look([Trouble(one.subject, f"is wrong {at}")], 4.0 + at / 100) for at in range(1000)]
    assert sum(map(len, changing)) <= 1 + 10 / PAUSE
    told.look([], 20.0)
    assert told.look([one], 21.0) == []
    assert told.look([one], 21.0 + PATIENCE) == [one]
