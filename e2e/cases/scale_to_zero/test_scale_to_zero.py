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
from installation import Installation, Program, started

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.plugin import GpuNodes
from modelpool_cluster.rest import MERGE

MODEL: Final = "qwen3:8b"
IDLE_SECONDS: Final = 3
SAID: Final = f"Scaled to zero: no request for {IDLE_SECONDS} s; the next request starts it"


def pool_of(name: str, model: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "modelpool.dev/v1alpha1",
        "kind": "ModelPool",
        "metadata": {"name": name},
        "spec": {
            "gpus": {"memory": "24Gi"},
            "ollama": {"enabled": False},
            "models": [{"name": MODEL, "engine": "vllm", "source": "hf://Qwen/Qwen3-8B-AWQ", **model}],
            **spec,
        },
    }


class Watched:
    """A pool in the API server, and its model's Deployment."""

    def __init__(self, cluster: Cluster, namespace: str, body: dict[str, Any]) -> None:
        self.cluster, self.namespace = cluster, namespace
        pools = f"/apis/modelpool.dev/v1alpha1/namespaces/{namespace}/modelpools"
        self.path = f"{pools}/{body['metadata']['name']}"
        cluster.api.create(pools, body)

    def status(self) -> dict[str, Any]:
        return dict(self.cluster.api.get(self.path).get("status") or {})

    def conditions(self) -> dict[str, dict[str, Any]]:
        return {one["type"]: one for one in self.status().get("conditions", ())}

    def replicas(self) -> int | None:
        found = self.cluster.api.items(f"/apis/apps/v1/namespaces/{self.namespace}/deployments")
        return next((int(one["spec"]["replicas"]) for one in found), None)

    def budgets(self) -> list[str]:
        found = self.cluster.api.items(f"/apis/policy/v1/namespaces/{self.namespace}/poddisruptionbudgets")
        return [one["metadata"]["name"] for one in found]

    def is_idle(self) -> bool:
        (model,) = self.status().get("models") or ({},)
        assert (self.replicas(), model.get("state"), model.get("message")) == (0, "Idle", SAID), (
            self.replicas(),
            model,
        )
        return True


@contextmanager
def gateway(installation: Installation) -> Iterator[str]:
    """The gateway in cluster mode, with the rights of its account; yields its address."""
    kubeconfig = installation.cluster.kubeconfig_for(installation.namespace, installation.account("gateway"))
    told = (
        f"--kubeconfig={kubeconfig}",
        f"--namespace={installation.namespace}",
        *("--listen=127.0.0.1:0", "--drain-delay=0", "--shutdown-timeout=1"),
    )
    with started("modelpool_sidecar", *told, log=installation.folder / "gateway.log") as program:
        yield waiting.wait_for("the gateway's port", lambda: _listening(program))
        program.stop()


def _listening(program: Program) -> str:
    program.assert_alive()
    return next((str(line["listening"][0]) for line in program.lines() if "listening" in line), "")


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


def demand(address: str) -> dict[str, Any]:
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
    body = pool_of("sleeper", {"gpuMemoryFraction": 0.4, "autoscaling": scaling}, nodeSelector={"pool": namespace})
    with gateway(installation) as address, installation.operator(f"--gateway-url=http://{address}"):
        pool = Watched(cluster, namespace, body)
        waiting.wait_for("an idle model", pool.is_idle)
        ready = pool.conditions()["Ready"]
        assert (ready["status"], SAID in ready["message"]) == ("True", True), ready
        assert pool.conditions()["Progressing"]["status"] == "False"

        with asking(address):
            waiting.wait_for("a replica", lambda: pool.replicas() == 1)
            waiting.wait_for("its pod", lambda: len(cluster.pods(namespace, "app.kubernetes.io/name=vllm")) == 1)
            asked = demand(address)
            assert (asked["inFlight"], asked["pending"]) == (0, 1), asked
            with asking(address):
                waiting.wait_for("another replica", lambda: pool.replicas() == 2)
        waiting.wait_for("nobody", lambda: demand(address)["pending"] == 0)
        waiting.wait_for("an idle model again", pool.is_idle)


@pytest.mark.cluster
def test_what_nobody_can_tell_changes_nothing_and_is_said(
    cluster: Cluster, gpu_node: GpuNodes, installation: Installation, namespace: str
) -> None:
    """The operator looks for gateways behind their Service, and there are none."""
    for _ in range(2):  # replicas stand on different nodes
        gpu_node(held=True, labels={"pool": namespace})
    fixed = {"gpuMemoryFraction": 0.4, "replicas": 2}
    body = pool_of("kept", fixed, nodeSelector={"pool": namespace})
    told = ("--gateway-service=nobody", f"--gateway-namespace={namespace}")
    with installation.operator(*told):
        pool = Watched(cluster, namespace, body)
        waiting.wait_for("two replicas", lambda: pool.replicas() == 2)
        assert pool.budgets() == ["kept-qwen3-8b"]
        scaling = {"maxReplicas": 3, "idleSeconds": IDLE_SECONDS}
        model = {name: value for name, value in body["spec"]["models"][0].items() if name != "replicas"}
        cluster.api.patch(pool.path, {"spec": {"models": [{**model, "autoscaling": scaling}]}}, MERGE)

        def said() -> bool:
            degraded = pool.conditions().get("Degraded", {})
            assert (degraded.get("status"), degraded.get("reason")) == ("True", "DemandUnknown"), degraded
            assert f"no gateway of Service {namespace}/nobody is ready" in degraded["message"], degraded
            return True

        waiting.wait_for("that the demand is unknown", said)
        assert pool.replicas() == 2
        single = {**body["spec"]["models"][0], "replicas": 1}
        cluster.api.patch(pool.path, {"spec": {"models": [single]}}, MERGE)
        waiting.wait_for("no budget", lambda: pool.budgets() == [])
        assert pool.replicas() == 1
