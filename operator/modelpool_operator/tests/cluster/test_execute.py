"""A plan carried out: in order, to the end, and what was refused is told."""

import asyncio
import contextlib
from typing import Any

import aiohttp
import pytest

from modelpool_operator.api import names
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import client as clients
from modelpool_operator.cluster import errors, kinds, reflector
from modelpool_operator.cluster.client import Client
from modelpool_operator.cluster.execute import execute
from modelpool_operator.cluster.mirror import Mirror
from modelpool_operator.planning.changes.foreign_fields import trim_of
from modelpool_operator.planning.changes.plan import Plan
from modelpool_operator.planning.objects.identity import ref_of
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.cluster.api_server import ApiServer

POOL = ObjectRef("llm", "agentic")
SERVICES = "/api/v1/namespaces/llm/services"
CONFIGS = "/api/v1/namespaces/llm/configmaps"
PLACEMENT = Placement(cards=(), shares=())


def manifest(kind: str, name: str, **metadata: Any) -> dict[str, Any]:
    owners = [{"uid": "ours", "controller": True}]
    owned = {"namespace": "llm", "name": name, "ownerReferences": owners, **metadata}
    return {"apiVersion": "v1", "kind": kind, "metadata": owned}


def plan(*apply: dict[str, Any], delete: tuple[dict[str, Any], ...] = ()) -> Plan:
    return Plan(placement=PLACEMENT, apply=apply, delete=tuple(ref_of(one) for one in delete))


async def test_an_empty_plan_sends_nothing(server: ApiServer, client: Client, mirror: Mirror) -> None:
    done = await execute(client, mirror, POOL, plan(), Observed())
    assert (done.applied, done.deleted, done.failures) == (0, 0, ())
    assert server.requests == []


async def test_apply_in_order_then_delete(server: ApiServer, client: Client, mirror: Mirror) -> None:
    old = server.put(SERVICES, apiVersion="v1", kind="Service", metadata={"name": "old"})
    todo = plan(manifest("ConfigMap", "a"), manifest("Service", "b"), delete=(old,))
    done = await execute(client, mirror, POOL, todo, Observed.from_manifests(children=[old]))
    assert server.writes == [("PATCH", f"{CONFIGS}/a"), ("PATCH", f"{SERVICES}/b"), ("DELETE", f"{SERVICES}/old")]
    patches = [request for request in server.requests if request.verb == "PATCH"]
    assert {request.query["fieldManager"] for request in patches} == {"modelpool-operator"}
    assert (done.applied, done.deleted) == (2, 1)


async def test_one_refused_object_does_not_hold_up_the_others(
    server: ApiServer, client: Client, mirror: Mirror
) -> None:
    server.refuse("PATCH", f"{CONFIGS}/a", 403, "exceeded quota")
    done = await execute(client, mirror, POOL, plan(manifest("ConfigMap", "a"), manifest("Service", "b")), Observed())
    assert done.applied == 1
    assert done.failures == ("Could not apply ConfigMap a: exceeded quota (HTTP 403)",)


async def test_an_api_server_that_cannot_serve_ends_the_pass(server: ApiServer, client: Client, mirror: Mirror) -> None:
    server.refuse("PATCH", f"{CONFIGS}/a", 503, "later")
    with pytest.raises(errors.UnreachableError):
        await execute(client, mirror, POOL, plan(manifest("ConfigMap", "a"), manifest("Service", "b")), Observed())
    assert server.writes == [("PATCH", f"{CONFIGS}/a")]


async def test_what_is_gone_already_is_no_failure(server: ApiServer, client: Client, mirror: Mirror) -> None:
    gone = manifest("Service", "gone", uid="u")
    done = await execute(client, mirror, POOL, plan(delete=(gone,)), Observed.from_manifests(children=[gone]))
    assert (done.deleted, done.failures) == (0, ())


async def test_an_object_that_took_the_name_meanwhile_is_left_alone(
    server: ApiServer, client: Client, mirror: Mirror
) -> None:
    seen = manifest("Service", "s", uid="the-one-we-saw")
    server.put(SERVICES, apiVersion="v1", kind="Service", metadata={"name": "s", "uid": "another"})
    done = await execute(client, mirror, POOL, plan(delete=(seen,)), Observed.from_manifests(children=[seen]))
    assert (done.deleted, done.failures) == (0, ())
    assert f"{SERVICES}/s" in server.objects


@pytest.mark.parametrize(("status", "known"), [(200, False), (404, False), (403, True), (409, True), (503, True)])
async def test_the_mirror_forgets_what_is_gone_and_nothing_else(
    server: ApiServer, client: Client, mirror: Mirror, status: int, known: bool
) -> None:
    labels = {names.MANAGED_BY_LABEL: names.MANAGED_BY, names.POOL_LABEL: POOL.name}
    old = server.put(SERVICES, apiVersion="v1", kind="Service", metadata={"name": "old", "labels": labels})
    await reflector.fill(client, mirror)
    if status != 200:
        server.refuse("DELETE", f"{SERVICES}/old", status)
    with contextlib.suppress(errors.UnreachableError):
        await execute(client, mirror, POOL, plan(delete=(old,)), Observed.from_manifests(children=[old]))
    assert [one["metadata"]["name"] for one in mirror.of(kinds.child("v1", "Service"), POOL)] == ["old"] * known


@pytest.mark.parametrize("answer", ["Status", "Deployment"])
async def test_what_is_replaced_is_known_to_be_going_until_its_pods_went(
    server: ApiServer, client: Client, mirror: Mirror, answer: str
) -> None:
    folder = "/apis/apps/v1/namespaces/llm/deployments"
    labels = {names.MANAGED_BY_LABEL: names.MANAGED_BY, names.POOL_LABEL: POOL.name}
    old = server.put(folder, apiVersion="apps/v1", kind="Deployment", metadata={"name": "old", "labels": labels})
    await reflector.fill(client, mirror)
    going = {
        **old,
        "metadata": {**old["metadata"], "resourceVersion": "99", "deletionTimestamp": "2026-11-22T11:00:00Z"},
    }
    server.refusals["DELETE", f"{folder}/old"] = (200, going if answer == "Deployment" else {"kind": "Status"})
    todo = Plan(placement=PLACEMENT, delete=(ref_of(old),), replaced=frozenset({ref_of(old)}))
    done = await execute(client, mirror, POOL, todo, Observed.from_manifests(children=[old]))
    assert (done.deleted, done.failures) == (1, ())
    assert server.requests[-1].body["propagationPolicy"] == "Foreground"
    left = [one["metadata"].get("deletionTimestamp") for one in mirror.of(kinds.child("apps/v1", "Deployment"), POOL)]
    assert left == ["2026-11-22T11:00:00Z"] * (answer == "Deployment")


@pytest.mark.parametrize(
    ("metadata", "whose"),
    [
        ({}, ""),
        (
            {"ownerReferences": [{"kind": "ModelPool", "name": "b", "uid": "theirs", "controller": True}]},
            ", but ModelPool b's",
        ),
    ],
    ids=["nobody's", "another pool's"],
)
async def test_an_object_of_somebody_else_is_not_taken_over(
    server: ApiServer, client: Client, mirror: Mirror, metadata: dict[str, Any], whose: str
) -> None:
    server.put(CONFIGS, metadata={"name": "a", **metadata})
    done = await execute(client, mirror, POOL, plan(manifest("ConfigMap", "a"), manifest("Service", "b")), Observed())
    assert server.writes == [("PATCH", f"{CONFIGS}/a"), ("PATCH", f"{SERVICES}/b")]
    assert server.objects[f"{CONFIGS}/a"]["metadata"].get("ownerReferences") == metadata.get("ownerReferences")
    want = "Could not apply ConfigMap a: an object of that name is there and is not this pool's"
    assert done.failures == (f"{want}{whose}",)


async def test_what_came_since_we_looked_and_is_ours_is_applied(
    server: ApiServer, client: Client, mirror: Mirror
) -> None:
    server.put(CONFIGS, metadata={"name": "a", "ownerReferences": [{"uid": "ours", "controller": True}]})
    done = await execute(client, mirror, POOL, plan(manifest("ConfigMap", "a")), Observed())
    assert (done.applied, done.failures) == (1, ())


async def test_what_is_not_there_is_made_by_one_request(server: ApiServer, client: Client, mirror: Mirror) -> None:
    await execute(client, mirror, POOL, plan(manifest("ConfigMap", "a")), Observed())
    (request,) = server.requests
    assert (request.verb, request.body["metadata"]["resourceVersion"]) == ("PATCH", "1")


async def test_what_was_observed_as_ours_is_applied_without_asking_again(
    server: ApiServer, client: Client, mirror: Mirror
) -> None:
    live = manifest("ConfigMap", "a", uid="u")
    await execute(client, mirror, POOL, plan(manifest("ConfigMap", "a")), Observed.from_manifests(children=[live]))
    (request,) = server.requests
    assert (request.verb, "resourceVersion" in request.body["metadata"]) == ("PATCH", False)


@pytest.mark.parametrize(
    ("labels", "annotations", "taken"),
    [
        ({names.POOL_LABEL: "agentic"}, {names.ON_DELETE_ANNOTATION: "Retain"}, False),
        ({names.POOL_LABEL: "other"}, {names.ON_DELETE_ANNOTATION: "Retain"}, True),
        ({names.POOL_LABEL: "agentic"}, {}, True),
    ],
    ids=["left by a pool of the name", "of another pool", "of a person"],
)
async def test_a_volume_that_outlived_a_pool_of_the_name_is_taken_up_and_no_other(
    server: ApiServer, client: Client, mirror: Mirror, labels: dict[str, str], annotations: dict[str, str], taken: bool
) -> None:
    folder = "/api/v1/namespaces/llm/persistentvolumeclaims"
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    server.put(folder, **body, metadata={"name": "agentic-cache", "labels": labels, "annotations": annotations})
    for owners in ({}, {"ownerReferences": [{"uid": "ours", "controller": True}]}):
        described = {"namespace": "llm", "name": "agentic-cache", "labels": {names.POOL_LABEL: "agentic"}, **owners}
        done = await execute(client, mirror, POOL, plan({**body, "metadata": described}), Observed())
        assert (done.failures != ()) is taken
        if not taken:
            server.objects[f"{folder}/agentic-cache"]["metadata"].pop("ownerReferences", None)


@pytest.mark.parametrize("status", [500, 504])
async def test_a_webhook_that_is_down_costs_the_child_that_it_is_about(
    server: ApiServer, client: Client, mirror: Mirror, status: int
) -> None:
    said = 'Internal error occurred: failed calling webhook "policy.example.com"'
    server.refuse("PATCH", f"{CONFIGS}/a", status, said)
    done = await execute(client, mirror, POOL, plan(manifest("ConfigMap", "a"), manifest("Service", "b")), Observed())
    assert (done.applied, done.failures) == (1, (f"Could not apply ConfigMap a: {said} (HTTP {status})",))


async def test_a_webhook_that_hangs_holds_up_no_other_child(
    server: ApiServer, client: Client, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelpool_operator.cluster.execute.PATIENCE", 0.01)
    monkeypatch.setattr(clients, "_DEADLINE", aiohttp.ClientTimeout(total=0.5))
    server.hangs.add(f"{CONFIGS}/a")
    todo = plan(manifest("ConfigMap", "a"), manifest("Service", "b"), manifest("Service", "c"))
    done = await execute(client, mirror, POOL, todo, Observed())
    assert server.writes[1:] == [("PATCH", f"{SERVICES}/b"), ("PATCH", f"{SERVICES}/c")]
    assert (done.applied, done.failures) == (2, ("Could not apply ConfigMap a: no answer in time",))


async def test_writes_that_hang_are_left_to_themselves_up_to_a_number_for_all_pools(
    server: ApiServer, client: Client, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each holds a connection. With one place, the second that hangs is waited for, and gives way when it has ended."""
    monkeypatch.setattr("modelpool_operator.cluster.execute.PATIENCE", 0.01)
    monkeypatch.setattr(clients, "_DEADLINE", aiohttp.ClientTimeout(total=0.5))
    server.hangs |= {f"{CONFIGS}/a", f"{CONFIGS}/b"}
    slow = asyncio.Semaphore(1)
    todo = plan(manifest("ConfigMap", "a"), manifest("ConfigMap", "b"), manifest("Service", "c"))
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        passing = group.create_task(execute(client, mirror, POOL, todo, Observed(), slow=slow))
        while len(server.writes) < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert server.writes == [("PATCH", f"{CONFIGS}/a"), ("PATCH", f"{CONFIGS}/b")]
    done = passing.result()
    assert server.writes[2:] == [("PATCH", f"{SERVICES}/c")]
    assert (done.applied, len(done.failures), slow.locked()) == (1, 2, False)


async def test_what_others_added_is_taken_out_before_the_rest_is_applied(
    server: ApiServer, client: Client, mirror: Mirror
) -> None:
    live = server.put(
        SERVICES,
        apiVersion="v1",
        kind="Service",
        metadata={"name": "s", "managedFields": [{"manager": "carol", "fieldsV1": {"f:spec": {"f:selector": {}}}}]},
        spec={"selector": {"a": "b", "evil/x": "y"}},
    )
    wanted = {**manifest("Service", "s"), "spec": {"selector": {"a": "b"}}}
    trim = trim_of(wanted, live)
    assert trim is not None
    todo = Plan(placement=PLACEMENT, trims=(trim,))
    done = await execute(client, mirror, POOL, todo, Observed.from_manifests(children=[live]))
    assert (done.applied, done.failures) == (1, ())
    assert server.objects[f"{SERVICES}/s"]["spec"]["selector"] == {"a": "b"}
    again = await execute(client, mirror, POOL, todo, Observed.from_manifests(children=[live]))
    assert (again.applied, again.failures) == (0, ()), "it changed since it was looked at"


async def test_a_change_that_is_refused_after_its_trim_is_not_taken_for_done(
    server: ApiServer, client: Client, mirror: Mirror
) -> None:
    live = server.put(
        SERVICES,
        apiVersion="v1",
        kind="Service",
        metadata={"name": "s", "managedFields": [{"manager": "carol", "fieldsV1": {"f:spec": {"f:selector": {}}}}]},
        spec={"selector": {"a": "b", "evil/x": "y"}},
    )
    wanted = {**manifest("Service", "s"), "spec": {"selector": {"a": "c"}}}
    trim = trim_of(wanted, live)
    assert trim is not None
    todo = Plan(placement=PLACEMENT, trims=(trim,), apply=(wanted,))
    patch = client.apply
    try:
        client.apply = _refusing  # type: ignore[method-assign]
        done = await execute(client, mirror, POOL, todo, Observed.from_manifests(children=[live]))
    finally:
        client.apply = patch  # type: ignore[method-assign]
    assert server.objects[f"{SERVICES}/s"]["spec"]["selector"] == {"a": "c"}
    assert (done.failures, done.answers) == (("denied",), {})


async def _refusing(*_: Any, **__: Any) -> Any:
    raise errors.RejectedError("denied")
