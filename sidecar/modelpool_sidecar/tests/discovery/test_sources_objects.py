"""Kubernetes objects into routes and addresses: events as an API server sends them, no socket."""

import json
from typing import Any

import pytest

from modelpool_sidecar.discovery.sources.objects import ApiRefusedError, ExpiredError, ObjectStore, merged
from modelpool_sidecar.discovery.sources.reading import snapshot
from modelpool_sidecar.routing.table import Address, ServiceRef
from modelpool_sidecar.tests.routing.worlds import ENGINES

ROUTES = {
    "version": 1,
    "pool": {"namespace": "llm", "name": "agentic", "created": "2026-11-22T10:00:00Z"},
    "models": [
        {"name": "qwen3:8b", "backends": [{"engine": "vllm", "service": "q", "port": 8000, "model": "qwen3:8b"}]}
    ],
}
CREATED = "2026-11-20T08:00:00Z"


def model_pool(
    name: str = "agentic", *, namespace: str = "llm", uid: str = "", created: str = CREATED, **metadata: object
) -> dict[str, Any]:
    """The metadata of a pool."""
    about = {"name": name, "namespace": namespace, "resourceVersion": "3", "uid": uid or f"uid-{name}"}
    return {"metadata": {**about, "creationTimestamp": created, **metadata}}


def config_map(
    routes: object = ROUTES, *, version: str = "7", pool: str = "agentic", name: str = "", **metadata: object
) -> dict[str, Any]:
    """The ConfigMap that the operator writes for a pool."""
    data = {"routes.json": routes if isinstance(routes, str) else json.dumps(routes)}
    owner = {"apiVersion": "modelpool.dev/v1alpha1", "kind": "ModelPool", "name": pool, "uid": f"uid-{pool}"}
    about = {"name": name or f"{pool}-routes", "namespace": "llm", "resourceVersion": version}
    return {"metadata": {**about, "ownerReferences": [{**owner, "controller": True}], **metadata}, "data": data}


def endpoint_slice(*endpoints: dict[str, Any], name: str = "q-abc", **more: Any) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": "q"}
    ports = more.pop("ports", [{"name": "http", "port": 8000, "protocol": "TCP"}])
    meta = {"name": name, "namespace": "llm", "resourceVersion": "9", "labels": labels}
    return {"metadata": meta, "addressType": "IPv4", "endpoints": list(endpoints), "ports": ports, **more}


def at(address: str, **conditions: bool) -> dict[str, Any]:
    return {"addresses": [address], "conditions": conditions}


def listed(*items: dict[str, Any]) -> ObjectStore:
    store = ObjectStore()
    store.replace({"metadata": {"resourceVersion": "5"}, "items": list(items)})
    return store


def addresses(*slices: dict[str, Any]) -> tuple[Address, ...]:
    found, _ = snapshot(
        listed(config_map()).objects, listed(model_pool()).objects, listed(*slices).objects, {}, ENGINES
    )
    return found.addresses[ServiceRef("llm", "q", 8000)]


def test_events_keep_a_store_in_step() -> None:
    store = listed(config_map(name="a"), config_map(name="b"))
    assert store.apply({"type": "ADDED", "object": config_map(name="c", version="8")})
    assert store.apply({"type": "DELETED", "object": config_map(name="a", version="9")})
    bookmark = {"metadata": {"resourceVersion": "12"}}
    assert not store.apply({"type": "BOOKMARK", "object": bookmark})
    assert ([key.name for key in store.objects], store.resource_version) == (["b", "c"], "12")
    store.replace({"metadata": {"resourceVersion": "20"}, "items": [config_map(name="z")]})
    assert ([key.name for key in store.objects], store.resource_version) == (["z"], "20")


@pytest.mark.parametrize(("code", "error"), [(410, ExpiredError), (500, ApiRefusedError)])
def test_an_error_event_ends_the_watch(code: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        listed().apply({"type": "ERROR", "object": {"kind": "Status", "code": code, "message": "too old"}})


@pytest.mark.parametrize(
    ("slices", "want"),
    [
        ((), ()),
        ((endpoint_slice(at("10.0.0.1", ready=True)),), (("http://10.0.0.1:8000", True),)),
        (
            (endpoint_slice(at("10.0.0.1", ready=False, serving=True, terminating=True)),),
            (("http://10.0.0.1:8000", False),),
        ),
        ((endpoint_slice(at("10.0.0.1")),), (("http://10.0.0.1:8000", True),)),
        (
            (endpoint_slice(at("10.0.0.2", ready=True)), endpoint_slice(at("10.0.0.1", ready=True), name="q-def")),
            (("http://10.0.0.1:8000", True), ("http://10.0.0.2:8000", True)),
        ),
        ((endpoint_slice(at("fd00::1", ready=True), addressType="IPv6"),), (("http://[fd00::1]:8000", True),)),
        ((endpoint_slice(at("10.0.0.1", ready=True), ports=[{"port": 9000}]),), (("http://10.0.0.1:9000", True),)),
        (
            (endpoint_slice(at("10.0.0.1", ready=True), ports=[{"port": 1}, {"name": "http", "port": 2}]),),
            (("http://10.0.0.1:2", True),),
        ),
        ((endpoint_slice(at("10.0.0.1", ready=True), ports=[{"port": 1}, {"port": 2}]),), ()),
    ],
)
def test_addresses_come_from_slices(slices: tuple[dict[str, Any], ...], want: tuple[tuple[str, bool], ...]) -> None:
    assert tuple((one.url, one.ready) for one in addresses(*slices)) == want


def test_addresses_that_no_pod_can_have_are_left_out_and_named() -> None:
    near = ("127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "::1", "fe80::1", "::ffff:127.0.0.1", "a..b", "")
    told = endpoint_slice(*(at(one, ready=True) for one in (*near, "10.0.0.1")))
    found, _ = snapshot(listed(config_map()).objects, listed(model_pool()).objects, listed(told).objects, {}, ENGINES)
    assert [one.url for one in found.addresses[ServiceRef("llm", "q", 8000)]] == ["http://10.0.0.1:8000"]
    assert {one.subject for one in found.troubles} == {"EndpointSlice llm/q-abc"}
    assert len(found.troubles) == len(near)


def test_a_wrong_document_keeps_the_last_good_one() -> None:
    pools = listed(model_pool()).objects
    _, known = snapshot(listed(config_map()).objects, pools, {}, {}, ENGINES)
    found, known = snapshot(listed(config_map("{")).objects, pools, {}, known, ENGINES)
    assert [one.pool.name for one in found.routes] == ["agentic"]
    assert [one.subject for one in found.troubles] == ["ConfigMap llm/agentic-routes"]
    found, known = snapshot({}, pools, {}, known, ENGINES)
    assert (found.routes, known) == ((), {})


def test_a_document_that_did_not_change_is_not_read_again() -> None:
    maps, pools = listed(config_map()).objects, listed(model_pool()).objects
    first, known = snapshot(maps, pools, {}, {}, ENGINES)
    second, _ = snapshot(maps, pools, {}, known, ENGINES)
    assert second.routes[0] is first.routes[0]


def test_stores_of_several_namespaces_are_one() -> None:
    assert len(merged([listed(config_map(name="a")), listed(config_map(name="b"))])) == 2
