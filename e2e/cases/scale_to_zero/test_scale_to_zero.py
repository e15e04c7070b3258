"""A model that nobody asks for gives its replicas up, and a request brings it back.

With the real gateway, on the control plane alone: what is decided, said and counted. Its engines are played and answer
nothing, so that a request is held for as long as the test wants.
"""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.plugin import GpuNodes
from modelpool_cluster.rest import MERGE
from modelpool_under_test.processes import gateway_program
from modelpool_under_test.processes.installation import Installation
from modelpool_under_test.processes.pools import Object, Pool, small

MODEL: Final = "qwen3:8b"
IDLE_SECONDS: Final = 3
SAID: Final = f"Scaled to zero: no request for {IDLE_SECONDS} s; the next request starts it"


def pool_of(name: str, model: Object, **spec: Any) -> Object:
    """Return a pool with one model and no fallback."""
    body = small(name, models=1, **spec)
    wanted = {"name": MODEL, "engine": "vllm", "source": "hf://Qwen/Qwen3-8B-AWQ", "gpuMemoryFraction": 0.4, **model}
    body["spec"]["models"] = [wanted]
    return body


def replicas(pool: Pool) -> int | None:
    return next((int(one["spec"]["replicas"]) for one in pool.children(["Deployment"])), None)


def budgets(pool: Pool) -> list[str]:
    found = pool.cluster.api.items(f"/apis/policy/v1/namespaces/{pool.namespace}/poddisruptionbudgets")
    return [one["metadata"]["name"] for one in found]


def is_idle(pool: Pool) -> bool:
    model = pool.model(MODEL)
    found = (replicas(pool), model.get("state"), model.get("message"))
    assert found == (0, "Idle", SAID), found
    return True


@contextmanager
def asking(address: str) -> Iterator[None]:
    """Hold one request for the model open for the length of the block."""
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "hi"}]})
    connection = http.client.HTTPConnection(address, timeout=120)
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    try:
        yield
    finally:
        connection.close()


def demand(address: str) -> Object:
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request("GET", "/modelpool/demand")
        models = json.loads(connection.getresponse().read())["models"]
        return next((one for one in models if one["model"] == MODEL), {})
    finally:
        connection.close()


@pytest.mark.cluster
def test_nobody_asks_and_somebody_asks(
    cluster: Cluster, gpu_node: GpuNodes, installation: Installation, namespace: str
) -> None:
    for _ in range(2):  # replicas stand on different nodes
        gpu_node(held=True, labels={"pool": namespace})
    scaling = {"maxReplicas": 2, "targetInFlight": 1, "idleSeconds": IDLE_SECONDS}
    body = pool_of("sleeper", {"autoscaling": scaling}, nodeSelector={"pool": namespace})
    with (
        gateway_program.running(installation) as gateway,
        installation.operator(f"--gateway-url=http://{gateway.address}"),
    ):
        pool = Pool.create(cluster, namespace, body)
        waiting.wait_for("an idle model", lambda: is_idle(pool))
        ready = pool.conditions()["Ready"]
        assert (ready["status"], SAID in ready["message"]) == ("True", True), ready
        assert pool.conditions()["Progressing"]["status"] == "False"

        with asking(gateway.address):
            waiting.wait_for("a replica", lambda: replicas(pool) == 1)
            waiting.wait_for("its pod", lambda: len(cluster.pods(namespace, "app.kubernetes.io/name=vllm")) == 1)
            asked = demand(gateway.address)
            assert (asked["inFlight"], asked["pending"]) == (0, 1), asked
            with asking(gateway.address):
                waiting.wait_for("another replica", lambda: replicas(pool) == 2)
        waiting.wait_for("nobody", lambda: demand(gateway.address)["pending"] == 0)
        waiting.wait_for("an idle model again", lambda: is_idle(pool))


@pytest.mark.cluster
def test_what_nobody_can_tell_changes_nothing_and_is_said(
    cluster: Cluster, gpu_node: GpuNodes, installation: Installation, namespace: str
) -> None:
    """The operator looks for gateways behind their Service, and there are none."""
    for _ in range(2):  # replicas stand on different nodes
        gpu_node(held=True, labels={"pool": namespace})
    body = pool_of("kept", {"replicas": 2}, nodeSelector={"pool": namespace})
    told = ("--gateway-service=nobody", f"--gateway-namespace={namespace}")
    with installation.operator(*told):
        pool = Pool.create(cluster, namespace, body)
        waiting.wait_for("two replicas", lambda: replicas(pool) == 2)
        assert budgets(pool) == ["kept-qwen3-8b"]
        scaling = {"maxReplicas": 3, "idleSeconds": IDLE_SECONDS}
        model = {name: value for name, value in body["spec"]["models"][0].items() if name != "replicas"}
        cluster.api.patch(pool.path, {"spec": {"models": [{**model, "autoscaling": scaling}]}}, MERGE)

        def said() -> bool:
            degraded = pool.conditions().get("Degraded", {})
            assert (degraded.get("status"), degraded.get("reason")) == ("True", "DemandUnknown"), degraded
            assert f"no gateway of Service {namespace}/nobody is ready" in degraded["message"], degraded
            return True

        waiting.wait_for("that the demand is unknown", said)
        assert replicas(pool) == 2
        single = {**body["spec"]["models"][0], "replicas": 1}
        cluster.api.patch(pool.path, {"spec": {"models": [single]}}, MERGE)
        waiting.wait_for("no budget", lambda: budgets(pool) == [])
        assert replicas(pool) == 1
