"""The status is written when it says something new, to the pool it is about, and to no other."""

from datetime import UTC, datetime
from typing import Any

from modelpool_operator.api import parsing
from modelpool_operator.api.status import Condition, ConditionStatus, PoolStatus
from modelpool_operator.cluster.client import Client
from modelpool_operator.cluster.report import report
from modelpool_operator.tests.cluster.api_server import ApiServer

POOLS = "/apis/modelpool.dev/v1alpha1/namespaces/llm/modelpools"


def status(ready: str = "1/1") -> PoolStatus:
    condition = Condition(
        type="Ready",
        status=ConditionStatus.TRUE,
        reason="AllReady",
        message="",
        observed_generation=1,
        last_transition_time=datetime(2026, 11, 22, tzinfo=UTC),
    )
    return PoolStatus(observed_generation=1, conditions=(condition,), ready_models=ready)


def pool(server: ApiServer, **body: Any) -> dict[str, Any]:
    return server.put(POOLS, metadata={"name": "agentic"}, spec={"models": []}, **body)


async def test_a_new_status_is_applied_by_its_own_manager_to_this_very_pool(server: ApiServer, client: Client) -> None:
    body = pool(server)
    assert await report(client, body, status())
    (request,) = server.requests
    assert (request.path, request.query["fieldManager"]) == (f"{POOLS}/agentic/status", "modelpool-operator-status")
    assert request.body["metadata"] == {"namespace": "llm", "name": "agentic", "uid": body["metadata"]["uid"]}
    assert request.body["status"]["readyModels"] == "1/1"
    assert "spec" not in request.body


async def test_the_same_status_is_not_written_again(server: ApiServer, client: Client) -> None:
    body = pool(server, status=parsing.render(status()))
    assert not await report(client, body, status())
    assert server.requests == []
    assert await report(client, body, status(ready="0/1"))


async def test_a_status_that_cannot_be_read_is_replaced(server: ApiServer, client: Client) -> None:
    assert await report(client, pool(server, status={"conditions": "?"}), status())


async def test_a_pool_that_went_away_needs_no_status(server: ApiServer, client: Client) -> None:
    body = pool(server)
    server.objects.clear()
    assert not await report(client, body, status())
