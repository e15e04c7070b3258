"""Whose a ConfigMap is: what somebody who may write ConfigMaps in a namespace can say, and what it gets him."""

import datetime
from typing import Any

import pytest

from modelpool_sidecar.discovery.sources.ownership import routes_name
from modelpool_sidecar.discovery.sources.reading import Snapshot, snapshot
from modelpool_sidecar.routing import table_building
from modelpool_sidecar.tests.routing.worlds import ENGINES

from .test_sources_objects import CREATED, ROUTES, config_map, listed, model_pool

OWNER = {"apiVersion": "modelpool.dev/v1alpha1", "kind": "ModelPool", "name": "agentic", "uid": "uid-agentic"}
OURS = {**OWNER, "controller": True}


def seen(*maps: dict[str, Any], pools: tuple[dict[str, Any], ...] = (model_pool(),)) -> Snapshot:
    found, _ = snapshot(listed(*maps).objects, listed(*pools).objects, {}, {}, ENGINES)
    return found


FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "no owner": (config_map(ownerReferences=[]), "must be owned by a ModelPool, as"),
    "no list of owners": (config_map(ownerReferences="agentic"), "must be owned by a ModelPool, as"),
    "an owner that is no object": (config_map(ownerReferences=[None, 3]), "must be owned by a ModelPool, as"),
    "not its controller": (config_map(ownerReferences=[OWNER]), "must be owned by a ModelPool, as"),
    "controller in words": (config_map(ownerReferences=[{**OWNER, "controller": "true"}]), "must be owned by"),
    "two controllers": (config_map(ownerReferences=[OURS, OURS]), "must be owned by a ModelPool, as"),
    "another kind": (config_map(ownerReferences=[{**OURS, "kind": "Deployment"}]), "must be owned by a ModelPool, as"),
    "another group": (
        config_map(ownerReferences=[{**OURS, "apiVersion": "modelpool.dev.evil/v1"}]),
        "must be owned by",
    ),
    "no version": (config_map(ownerReferences=[{**OURS, "apiVersion": None}]), "must be owned by a ModelPool, as"),
    "a made-up UID": (config_map(ownerReferences=[{**OURS, "uid": "x"}]), "that is there, got 'agentic' with UID 'x'"),
    "no UID": (config_map(ownerReferences=[{**OURS, "uid": None}]), "that is there"),
    "a pool that is not there": (config_map(pool="other"), "that is there, got 'other'"),
    "a pool without a name": (config_map(ownerReferences=[{**OURS, "name": None}]), "that is there"),
    "another namespace's pool": (config_map(namespace="evil"), "that is there, got 'agentic'"),
    "a second one": (config_map(name="agentic-routes-2"), "must be called 'agentic-routes'"),
    "one that goes": (config_map(deletionTimestamp="2026-11-22T10:00:00Z"), "is being deleted"),
}


@pytest.mark.parametrize("forged", FORGED)
def test_a_config_map_that_no_pool_owns_serves_nothing(forged: str) -> None:
    item, says = FORGED[forged]
    found = seen(item)
    assert found.routes == ()
    (trouble,) = found.troubles
    assert says in trouble.problem


@pytest.mark.parametrize(
    ("routes", "says"),
    [
        (ROUTES | {"pool": {"namespace": "llm", "name": "other"}}, "must speak for llm/agentic, which owns it"),
        (ROUTES | {"pool": {"namespace": "kube-system", "name": "agentic"}}, "must speak for llm/agentic"),
        (
            ROUTES
            | {"models": [{"name": "m", "backends": [{"engine": "vllm", "model": "m", "url": "http://evil.example"}]}]},
            "must have `service` and `port`, and no `url`",
        ),
        ({}, "missing required field"),
    ],
)
def test_an_owned_config_map_speaks_for_its_pool_alone(routes: object, says: str) -> None:
    found = seen(config_map(routes))
    assert found.routes == ()
    assert says in found.troubles[0].problem


@pytest.mark.parametrize("created", ["1970-01-01T00:00:00Z", "2020-01-01T00:00:00Z", None])
def test_when_a_pool_came_is_the_api_servers_word(created: str | None) -> None:
    pool = {"namespace": "llm", "name": "agentic", **({"created": created} if created else {})}
    (found,) = seen(config_map(ROUTES | {"pool": pool})).routes
    assert found.pool.created == datetime.datetime.fromisoformat(CREATED)


@pytest.mark.parametrize("uid", ["uid-of-another", None])
def test_which_pool_a_key_is_made_for_is_the_api_servers_word(uid: str | None) -> None:
    pool = {"namespace": "llm", "name": "agentic", **({"uid": uid} if uid else {})}
    (found,) = seen(config_map(ROUTES | {"pool": pool})).routes
    assert found.pool.uid == "uid-agentic"


@pytest.mark.parametrize("created", ["", "yesterday", "2026-11-22T10:00:00"])
def test_a_pool_without_a_readable_age_serves_nothing(created: str) -> None:
    found = seen(config_map(), pools=(model_pool(created=created),))
    assert found.routes == ()
    assert "creationTimestamp" in found.troubles[0].problem


def test_a_contested_name_stays_with_the_pool_that_is_older_by_the_api_server() -> None:
    claim = ROUTES | {"pool": {"namespace": "llm", "name": "late", "created": "1970-01-01T00:00:00Z"}}
    late = config_map(claim, pool="late")
    found = seen(late, config_map(), pools=(model_pool(), model_pool("late", created="2026-11-21T08:00:00Z")))
    table = table_building.build(found.routes, found.addresses, {})
    assert [(model.name, model.pool.name) for model in table.models] == [("qwen3:8b", "agentic")]
    assert [one.loser.name for one in table.conflicts] == ["late"]


def test_the_last_good_document_ends_with_the_pool() -> None:
    _, known = snapshot(listed(config_map()).objects, listed(model_pool()).objects, {}, {}, ENGINES)
    gone, after = snapshot(listed(config_map("{")).objects, {}, {}, known, ENGINES)
    assert (gone.routes, after) == ((), {})
    again = listed(config_map("{", ownerReferences=[{**OURS, "uid": "uid-2"}])).objects
    found, _ = snapshot(
        again, listed(model_pool(uid="uid-2", created="2026-11-29T08:00:00Z")).objects, {}, known, ENGINES
    )
    assert found.routes == ()


@pytest.mark.parametrize("length", [1, 56, 57, 200])
def test_a_long_pools_config_map_is_found_by_its_cut_name(length: int) -> None:
    name = "p" * length
    routes = ROUTES | {"pool": {"namespace": "llm", "name": name}}
    item = config_map(routes, pool=name, name=routes_name(name))
    assert len(routes_name(name)) <= 63
    assert [one.pool.name for one in seen(item, pools=(model_pool(name),)).routes] == [name]
