"""One pass after another over a pool, with the real planning and a stand-in for the API server."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.status import GatewayStatus
from modelpool_operator.cluster import errors, kinds
from modelpool_operator.cluster.mirror import Mirror
from modelpool_operator.cluster.recorder import Recorder
from modelpool_operator.cluster.reflector import fill
from modelpool_operator.handlers import reconcile
from modelpool_operator.handlers.claims import Claims
from modelpool_operator.handlers.reconcile import Outcome, Reconciler
from modelpool_operator.handlers.scaling import Scaling
from modelpool_operator.telemetry.metrics import Metrics
from modelpool_operator.tests.cluster import api_server
from modelpool_operator.tests.cluster.api_server import ApiServer

REF = ObjectRef("llm", "agentic")
POOLS = "/apis/modelpool.dev/v1alpha1/namespaces/llm/modelpools"
LABELS = {"app.kubernetes.io/managed-by": "modelpool-operator", "modelpool.dev/pool": "agentic"}
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
GATEWAY = GatewayStatus(openai="http://gw/v1", ollama="http://gw")
MODEL = {"name": "qwen3:8b", "engine": "vllm", "source": "hf://Qwen/Qwen3-8B-AWQ", "gpuMemoryFraction": 0.4}


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with api_server.running() as running:
        yield running


@pytest.fixture
async def reconciler(server: ApiServer) -> AsyncIterator[Reconciler]:
    async with api_server.client_of(server, Metrics(queue_depth=lambda: 0, pools=lambda: 0)) as client:
        recorder = Recorder(client, now=lambda: NOW, reporter="test")
        scaling = Scaling(lambda _: None, clock=lambda: 0.0)
        mirror = Mirror()
        await fill(client, mirror)
        yield Reconciler(
            client, mirror, recorder, Claims(), now=lambda: NOW, gateway=lambda _: GATEWAY, scaling=scaling
        )


def put_pool(server: ApiServer, *models: dict[str, Any], name: str = "agentic", **metadata: Any) -> None:
    server.put(
        POOLS,
        apiVersion="modelpool.dev/v1alpha1",
        kind="ModelPool",
        metadata={"name": name, "creationTimestamp": "2026-11-22T09:00:00Z", **metadata},
        spec={"gpus": {"memory": "24Gi"}, "models": list(models)},
    )


def status(server: ApiServer) -> Any:
    return server.objects[f"{POOLS}/agentic"]["status"]


def planned(server: ApiServer) -> tuple[str, str]:
    (found,) = (condition for condition in status(server)["conditions"] if condition["type"] == "Planned")
    return found["status"], found["reason"]


async def test_the_first_pass_makes_everything_and_the_second_nothing(
    server: ApiServer, reconciler: Reconciler
) -> None:
    put_pool(server, MODEL)
    result = await reconciler.reconcile(REF)
    assert (result.outcome, result.again) == (Outcome.PLANNED, None)
    made = [path.split("/")[-2] for verb, path in server.writes if not path.endswith("/status")]
    assert sorted(set(made)) == ["configmaps", "deployments", "persistentvolumeclaims", "services"]
    assert server.writes[-1] == ("PATCH", f"{POOLS}/agentic/status")
    assert planned(server)[0] == "True"
    assert status(server)["gateway"] == {"openai": "http://gw/v1", "ollama": "http://gw"}

    await reconciler.reconcile(REF)  # Sees the children that the first one made; only the status may still change.
    server.requests.clear()
    await reconciler.reconcile(REF)
    assert server.writes == []


async def test_a_pool_that_does_not_fit_is_told_so_and_nothing_is_made(
    server: ApiServer, reconciler: Reconciler
) -> None:
    put_pool(server, {**MODEL, "gpuMemoryFraction": 0.9}, {**MODEL, "name": "b", "gpuMemoryFraction": 0.9})
    assert (await reconciler.reconcile(REF)).outcome is Outcome.REFUSED
    assert server.writes == [("PATCH", f"{POOLS}/agentic/status"), ("POST", "/api/v1/namespaces/llm/events")]
    assert planned(server)[0] == "False"


async def test_an_invalid_pool_is_told_so_and_what_runs_is_left_alone(
    server: ApiServer, reconciler: Reconciler
) -> None:
    put_pool(server, MODEL)
    await reconciler.reconcile(REF)
    server.objects[f"{POOLS}/agentic"]["spec"] = {"models": "none"}
    server.requests.clear()
    assert (await reconciler.reconcile(REF)).outcome is Outcome.INVALID
    assert ("PATCH", f"{POOLS}/agentic/status") in server.writes
    assert not [path for verb, path in server.writes if verb == "DELETE"]
    assert planned(server) == ("False", "InvalidSpec")


async def test_a_pool_that_is_gone_needs_nothing(server: ApiServer, reconciler: Reconciler) -> None:
    assert (await reconciler.reconcile(REF)).outcome is Outcome.GONE
    assert server.writes == []


async def test_nothing_is_made_for_a_pool_that_is_going(server: ApiServer, reconciler: Reconciler) -> None:
    put_pool(server, MODEL, deletionTimestamp="2026-11-22T09:30:00Z")
    assert (await reconciler.reconcile(REF)).outcome is Outcome.GONE
    assert server.writes == []


async def test_what_the_api_server_refused_stands_in_the_status_and_is_tried_again(
    server: ApiServer, reconciler: Reconciler
) -> None:
    put_pool(server, MODEL)
    server.refuse("PATCH", "/apis/apps/v1/namespaces/llm/deployments/agentic-qwen3-8b", 403, "exceeded quota")
    result = await reconciler.reconcile(REF)
    assert (result.outcome, result.again) == (Outcome.INCOMPLETE, reconcile.TRY_AGAIN)
    assert "exceeded quota" in str(status(server)["conditions"])


async def test_a_pass_that_could_not_look_decides_nothing(server: ApiServer, reconciler: Reconciler) -> None:
    put_pool(server, MODEL)
    reconciler._mirror.collections[kinds.PODS, None].problem = errors.DeniedError("pods is forbidden")
    with pytest.raises(errors.DeniedError, match="pods is forbidden"):
        await reconciler.reconcile(REF)
    assert server.writes == []


async def test_an_engine_that_starts_is_looked_at_again(server: ApiServer, reconciler: Reconciler) -> None:
    put_pool(server, MODEL)
    server.put(
        "/api/v1/namespaces/llm/pods",
        metadata={"name": "p", "labels": LABELS},
        spec={"containers": [{"name": "vllm"}]},
        status={"containerStatuses": [{"name": "vllm", "state": {"running": {}}}]},
    )
    await fill(reconciler._client, reconciler._mirror)
    assert (await reconciler.reconcile(REF)).again == reconcile.LOOK_AGAIN


async def test_pools_that_claim_the_same_name_hear_of_each_other(server: ApiServer, reconciler: Reconciler) -> None:
    put_pool(server, MODEL)
    put_pool(server, MODEL, name="older", creationTimestamp="2026-11-22T08:00:00Z")
    assert (await reconciler.reconcile(REF)).concerned == frozenset()
    assert (await reconciler.reconcile(ObjectRef("llm", "older"))).concerned == {REF}
    del server.objects[f"{POOLS}/older"]
    assert (await reconciler.reconcile(ObjectRef("llm", "older"))).concerned == {REF}
