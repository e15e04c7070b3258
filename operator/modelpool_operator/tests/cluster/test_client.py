"""The five verbs as the API server sees them: paths, queries, bodies; pages put together; writes and errors counted."""

import pytest

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import errors, kinds
from modelpool_operator.cluster.client import Client
from modelpool_operator.telemetry.metrics import Metrics
from modelpool_operator.tests.cluster import api_server
from modelpool_operator.tests.cluster.api_server import ApiServer

SERVICES = kinds.child("v1", "Service")
DEPLOYMENTS = kinds.child("apps/v1", "Deployment")


async def test_get_returns_the_object(server: ApiServer, client: Client) -> None:
    stored = server.put("/apis/modelpool.dev/v1alpha1/namespaces/llm/modelpools", metadata={"name": "a"}, spec={})
    assert await client.get(kinds.POOLS, ObjectRef("llm", "a")) == stored


async def test_get_of_nothing_is_absent_and_counted(client: Client, metrics: Metrics) -> None:
    with pytest.raises(errors.AbsentError):
        await client.get(kinds.POOLS, ObjectRef("llm", "a"))
    assert metrics.registry.get_sample_value("modelpool_operator_api_errors_total", {"error": "absent"}) == 1


async def test_list_puts_pages_together_and_names_the_kind(server: ApiServer, client: Client) -> None:
    for number in range(501):
        server.put("/api/v1/namespaces/llm/services", metadata={"name": f"s{number}", "labels": {"pool": "a"}})
    found = await client.list_all(SERVICES, "llm", labels="pool=a")
    assert len({item["metadata"]["name"] for item in found}) == 501
    assert {(item["apiVersion"], item["kind"]) for item in found} == {("v1", "Service")}
    assert [request.query["limit"] for request in server.requests] == ["250", "250", "250"]


async def test_list_everywhere_uses_the_collection_of_all_namespaces(server: ApiServer, client: Client) -> None:
    await client.list_all(DEPLOYMENTS)
    assert server.requests[0].path == "/apis/apps/v1/deployments"


async def test_apply_is_a_forced_strict_server_side_apply(server: ApiServer, client: Client, metrics: Metrics) -> None:
    manifest = {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "llm", "name": "s"}}
    await client.apply(SERVICES, manifest, manager="me")
    (request,) = server.requests
    assert (request.verb, request.path, request.body) == ("PATCH", "/api/v1/namespaces/llm/services/s", manifest)
    assert request.query == {"fieldManager": "me", "force": "true", "fieldValidation": "Strict"}
    labels = {"verb": "apply", "kind": "Service"}
    assert metrics.registry.get_sample_value("modelpool_operator_writes_total", labels) == 1


async def test_status_goes_to_the_subresource(server: ApiServer, client: Client) -> None:
    server.put("/apis/modelpool.dev/v1alpha1/namespaces/llm/modelpools", metadata={"name": "a"})
    manifest = {"metadata": {"namespace": "llm", "name": "a"}, "status": {}}
    await client.apply(kinds.POOLS, manifest, manager="me", status=True)
    assert server.writes == [("PATCH", "/apis/modelpool.dev/v1alpha1/namespaces/llm/modelpools/a/status")]


async def test_delete_takes_only_the_object_it_means(server: ApiServer, client: Client) -> None:
    stored = server.put("/api/v1/namespaces/llm/services", metadata={"name": "s"})
    with pytest.raises(errors.ConflictError):
        await client.delete(SERVICES, ObjectRef("llm", "s"), uid="another")
    await client.delete(SERVICES, ObjectRef("llm", "s"), uid=stored["metadata"]["uid"])
    assert server.requests[-1].body["propagationPolicy"] == "Background"
    assert not server.objects


async def test_log_returns_lines(server: ApiServer, client: Client) -> None:
    server.texts["/api/v1/namespaces/llm/pods/p/log"] = "one\ntwo\n"
    assert await client.log(ObjectRef("llm", "p"), container="vllm", lines=7) == ["one", "two"]
    assert server.requests[0].query == {"container": "vllm", "tailLines": "7", "limitBytes": "65536"}


async def test_an_api_server_that_is_not_there_is_unreachable(metrics: Metrics) -> None:
    async with api_server.running() as gone:
        pass
    async with api_server.client_of(gone, metrics) as client:
        with pytest.raises(errors.UnreachableError):
            await client.list_all(SERVICES)
