"""Who has the role `edit` in a namespace can neither take another's model, nor see its callers' headers, nor stop the
gateway: tried in every way there is, with the chart's roles, while somebody else's caller is served all the time.
"""

import contextlib
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tenants_forgeries import WAYS
from tenants_stage import (
    ALIAS,
    MODEL,
    OWN,
    PROMPT,
    SECRET,
    Innocent,
    Object,
    Stage,
    innocent_models,
    tenant_of,
    thief,
    younger,
)

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.rest import MERGE, ApiError
from modelpool_under_test.processes import route_documents
from modelpool_under_test.processes.gateway_program import Gateway, running
from modelpool_under_test.processes.host_address import host_address
from modelpool_under_test.processes.installation import installed, rendered
from modelpool_under_test.processes.programs import started

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

FLOOD = 150
"""ConfigMaps of a flood, and as many changes of one."""


@pytest.fixture
def stage(cluster: Cluster, helm: Path, namespace: str, tmp_path: Path) -> Iterator[Stage]:
    """A gateway that follows every namespace, an innocent pool that is served, and a tenant beside it."""
    mine = f"tenant-{secrets.token_hex(3)}"
    cluster.add_namespace(mine)
    address = host_address()
    chart = rendered(helm, tmp_path, everywhere=True)
    told = ("serve", "org/weights", f"--served-model-name={MODEL}", f"--host={address}", "--port=0")
    with contextlib.ExitStack() as held:
        held.callback(cluster.remove_namespace, mine)
        installation = held.enter_context(installed(cluster, chart, namespace, tmp_path, everywhere=True))
        engine = held.enter_context(started("modelpool_simulators.vllm", *told, log=tmp_path / "engine.log"))
        taker = held.enter_context(thief(address))
        gateway = held.enter_context(running(installation))

        def serving() -> int:
            engine.assert_alive()
            _, _, port = engine.log.read_text().partition(f"Starting vLLM API server on http://{address}:")
            return int(port.split()[0]) if port else 0

        port = waiting.wait_for("the engine", serving)
        for where, service, at in ((namespace, "innocent", port), (mine, "thief", taker.port)):
            cluster.api.create(route_documents.slices(where), route_documents.endpoint_slice(service, address, at))
        victim = cluster.api.create(route_documents.pools(namespace), route_documents.manifest())
        content = route_documents.data(namespace, innocent_models("first"))
        owned = route_documents.config_map(route_documents.owner_of(victim), content)
        cluster.api.create(route_documents.config_maps(namespace), owned)
        tenant = tenant_of(cluster, mine)
        held.callback(tenant.close)
        innocent = Innocent(gateway)
        # The pool of an earlier test has the name until its namespace is gone, for it is older.
        waiting.wait_for("the innocent's model", lambda: _is_served(gateway, namespace))
        yield Stage(
            cluster=cluster,
            gateway=gateway,
            tenant=tenant,
            mine=mine,
            theirs=namespace,
            thief=taker,
            innocent=innocent,
            pool=younger(cluster, tenant, mine, victim),
            victim=victim,
        )


def _is_served(gateway: Gateway, namespace: str) -> bool:
    pools = [pool for pool in gateway.view()["pools"] if any(one["name"] == MODEL for one in pool["models"])]
    served = [one["ready"] for pool in pools for one in pool["models"] if one["name"] == MODEL]
    return [pool["pool"].partition("/")[0] for pool in pools] == [namespace] and served == [True]


def complaints(stage: Stage) -> list[Object]:
    """Return what the gateway has said of objects that it cannot use."""
    return [line for line in stage.gateway.program.lines() if line.get("message") == "Could not use an object"]


def assert_untouched(stage: Stage, way: str) -> None:
    """Nothing has changed for the other pool, in the table or at the door."""
    stage.settled()
    theirs = f"{stage.theirs}/{route_documents.NAME}"
    owners = stage.owners()
    assert owners[MODEL] == theirs, f"{way}: {owners}"
    for name in (MODEL, ALIAS, f"{ALIAS}:latest", f"library/{MODEL.upper()}"):
        assert stage.innocent.ask(name) == f"200 {theirs}", f"{way}: {name}"
    assert not stage.loot(), f"{way}: {stage.loot()[0]}"


def test_no_way_leads_to_anothers_model_or_ends_the_gateway(stage: Stage) -> None:
    refused = []
    with stage.innocent.asking():
        for way, take in WAYS.items():
            try:
                take(stage)
            except ApiError as error:
                assert 400 <= error.status < 500, f"{way}: {error}"
                refused.append(way)
            assert_untouched(stage, way)
    print(f"{len(WAYS)} ways, of which the API server refused {len(refused)}: {', '.join(refused)}")
    print(f"{len(stage.innocent.answers)} requests of an innocent caller meanwhile")
    assert set(stage.innocent.answers) == {f"200 {stage.theirs}/{route_documents.NAME}"}
    assert len(stage.innocent.answers) > len(WAYS)
    objects = {line["object"] for line in complaints(stage)}
    assert objects >= {f"ConfigMap {stage.mine}/plain", f"ConfigMap {stage.mine}/mine-routes"}


def test_what_is_the_tenants_is_served_and_tells_him_nothing_of_callers(stage: Stage) -> None:
    stage.write(stage.own(), stage.content())
    waiting.wait_for("his own model", lambda: stage.owners().get(OWN) == f"{stage.mine}/mine")
    assert_untouched(stage, "a claim")
    conflicts = stage.gateway.view()["conflicts"]
    assert {one["name"] for one in conflicts if one["refusedTo"] == f"{stage.mine}/mine"} == {MODEL}
    waiting.wait_for("readiness", lambda: stage.gateway.models()[OWN]["ready"])
    assert stage.innocent.ask(OWN) == f"200 {stage.mine}/mine"
    headers, body = stage.thief.asked[-1]
    assert PROMPT in body
    assert SECRET not in str(headers)
    assert headers.keys() <= {"host", "accept", "content-type", "content-length", "user-agent", "x-request-id"}

    stage.tenant.delete(f"{route_documents.pools(stage.mine)}/mine")
    waiting.wait_for("the end of his model", lambda: OWN not in stage.owners())
    assert_untouched(stage, "a deletion")


def test_a_flood_of_bad_config_maps_costs_the_others_nothing(stage: Stage) -> None:
    with stage.innocent.asking():
        began = time.monotonic()
        for number in range(FLOOD):
            content = {"routes.json": "[" * 20_000} if number % 2 else stage.content(stage.by_url(), name=f"p{number}")
            stage.write(stage.own() if number % 3 else None, content, f"p{number}-routes")
        stage.write(stage.own(), stage.content())
        for number in range(FLOOD):
            changed = {"data": {"routes.json": f"{number} " + "x" * 100_000}}
            stage.tenant.patch(f"{stage.maps}/mine-routes", changed, MERGE)
        assert_untouched(stage, "a flood")
        lasted = time.monotonic() - began
    assert set(stage.innocent.answers) == {f"200 {stage.theirs}/{route_documents.NAME}"}
    told = len(complaints(stage))
    print(f"{2 * FLOOD} changes in {lasted:.1f} s: {told} lines, {len(stage.innocent.answers)} answers")
    assert told <= FLOOD + 2 + lasted / 10, "one for each, and no more than one in ten seconds for each"


def test_what_edit_may_not_do(stage: Stage) -> None:
    """What the promises rest on: the API server lets nobody with `edit` do these."""
    slices, pools = route_documents.slices(stage.mine), route_documents.pools(stage.mine)
    map_of_theirs = route_documents.config_map(stage.own(), stage.content(), name="x-routes")
    endpoints = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "thief"}}
    for path, body in (
        (slices, route_documents.endpoint_slice("x", stage.thief.address, 1)),
        (f"/api/v1/namespaces/{stage.mine}/endpoints", endpoints),
        (route_documents.config_maps(stage.theirs), map_of_theirs),
        (route_documents.pools(stage.theirs), route_documents.manifest("x")),
    ):
        with pytest.raises(ApiError) as refused:
            stage.tenant.create(path, body)
        assert refused.value.status == 403, path
    for path in (f"{pools}/mine/status", f"{route_documents.config_maps(stage.theirs)}/{route_documents.MAP}"):
        with pytest.raises(ApiError) as refused:
            stage.tenant.patch(path, {"metadata": {"labels": {"a": "b"}}}, MERGE)
        assert refused.value.status == 403, path
