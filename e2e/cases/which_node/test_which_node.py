"""Which node a pool comes to, by a real scheduler: mixed and too small nodes, and what is said where there is none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.plugin import GpuNodes
from modelpool_cluster.rest import MERGE
from modelpool_under_test.processes.operator_program import Operator
from modelpool_under_test.processes.pools import Object, Pool

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
MEMBER: Final = "which-node"
"""The label by which the nodes of one pool are told from those of another."""


def body(name: str, *shares: Object, **spec: Any) -> Object:
    """Return a pool with a model for each share, on nodes with its label."""
    models = [
        {"name": f"m{number}", "engine": "vllm", "source": "hf://Qwen/Qwen3-0.6B", **share}
        for number, share in enumerate(shares)
    ]
    spec = {"nodeSelector": {MEMBER: name}, "ollama": {"enabled": False}, "models": models, **spec}
    return {"apiVersion": "modelpool.dev/v1alpha1", "kind": "ModelPool", "metadata": {"name": name}, "spec": spec}


def to(label: str, value: str) -> Object:
    return {"matchExpressions": [{"key": label, "operator": "In", "values": [value]}]}


def until_open(cluster: Cluster, *nodes: str) -> None:
    """Wait until nodes are known to be ready: before, each has a taint that says the contrary."""

    def look() -> bool:
        found = {node: cluster.api.get(f"/api/v1/nodes/{node}")["spec"].get("taints") for node in nodes}
        assert not any(found.values()), found
        return True

    waiting.wait_for("nodes without taints", look)


def refusal(pool: Pool) -> Object:
    return pool.conditions().get("Planned", {})


def test_a_pool_of_three_comes_to_the_node_that_can_take_three(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    """The scheduler prefers the small node, which has room for the first engine, and would hold the others there."""
    small = gpu_node(replicas=1, labels={MEMBER: "three"})
    large = gpu_node(replicas=8, labels={MEMBER: "three"})
    until_open(cluster, small, large)
    liked = {"weight": 100, "preference": to("kubernetes.io/hostname", small)}
    spec = {"gpus": {"memory": "24Gi"}, "affinity": {"nodeAffinity": {PREFERRED: [liked]}}}
    pool = Pool.create(cluster, namespace, body("three", *[{"gpuMemoryFraction": 0.25}] * 3, **spec))
    pool.wait_ready("3/3")
    assert {pod["spec"]["nodeName"] for pod in pool.pods("vllm")} == {large}
    assert f"the pool keeps off {small}" in pool.conditions()["Planned"]["message"]

    # What was left out stays so, whatever comes: nobody restarts.
    gpu_node(replicas=1, labels={MEMBER: "three"})
    before = {pod["metadata"]["uid"] for pod in pool.pods("vllm")}
    pool.pass_over(operator)
    pool.settle(operator)
    assert {pod["metadata"]["uid"] for pod in pool.pods("vllm")} == before


def test_an_amount_is_the_fraction_of_the_card_that_the_pool_comes_to(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    labels = {MEMBER: "mixed"}
    gpu_node(replicas=4, memory_mib=15360, labels={**labels, "card": "t4"})
    large = gpu_node(replicas=4, memory_mib=81559, labels={**labels, "card": "h100"})
    until_open(cluster, large)
    shares = [{"gpuMemory": "8Gi"}, {"gpuMemory": "40Gi"}]
    pool = Pool.create(cluster, namespace, body("mixed", *shares))

    def refused() -> bool:
        found = refusal(pool)
        assert (found.get("status"), found.get("reason")) == ("False", "CardsDiffer"), found
        assert "15.00Gi" in found["message"]
        assert "79.65Gi" in found["message"]
        return True

    waiting.wait_for("the refusal of an amount of which card nobody knows", refused)

    def pin(spec: Object) -> None:
        spec["affinity"] = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [to("card", "h100")]}}}

    pool.edit(pin)
    pool.wait_ready("2/2")
    pods = pool.pods("vllm")
    assert {pod["spec"]["nodeName"] for pod in pods} == {large}
    told = [pod["spec"]["containers"][0]["args"] for pod in pods]
    fractions = sorted(args[args.index("--gpu-memory-utilization") + 1] for args in told)
    assert fractions == ["0.1004", "0.5022"]


def test_one_model_uses_both_cards_of_a_node(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    node = gpu_node(gpus=2, labels={MEMBER: "whole"})
    share = {"gpuMemoryFraction": 0.9, "replicas": 2}
    pool = Pool.create(cluster, namespace, body("whole", share, gpus={"memory": "24Gi", "sharing": "exclusive"}))

    def both() -> bool:
        assert pool.model("m0").get("readyReplicas") == 2, pool.status()
        return True

    waiting.wait_for("two replicas", both, timeout=60)
    assert [pod["spec"]["nodeName"] for pod in pool.pods("vllm")] == [node, node]


Change = Callable[[Cluster, str], None]


def taint(cluster: Cluster, node: str) -> None:
    taints = [{"key": "team", "value": "ml", "effect": "NoSchedule"}]
    cluster.api.patch(f"/api/v1/nodes/{node}", {"spec": {"taints": taints}}, MERGE)


def cordon(cluster: Cluster, node: str) -> None:
    cluster.api.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}}, MERGE)


def slice_up(cluster: Cluster, node: str) -> None:
    amounts = {"nvidia.com/gpu": "0", "nvidia.com/mig-1g.5gb": "7"}
    status = {"allocatable": amounts, "capacity": amounts}
    cluster.api.patch(f"/api/v1/nodes/{node}/status", {"status": status}, MERGE)


def nothing(cluster: Cluster, node: str) -> None:
    """Leave the node as it is."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A node on which an engine finds no place, and what is to be said of it."""

    happens: Change = nothing
    spec: Object = field(default_factory=dict)
    reason: str = "Unschedulable"
    wanted: str


ROWS: Final = {
    "taint": Row(happens=taint, wanted="Node {node} has the taint team=ml:NoSchedule. Tolerate it in `tolerations`"),
    "cordon": Row(happens=cordon, wanted="Node {node} is cordoned. `kubectl uncordon {node}`"),
    "cpu": Row(
        spec={"vllm": {"resources": {"requests": {"cpu": "1000"}}}}, wanted="Lower `vllm.resources.requests`, or free"
    ),
    "volume": Row(
        spec={"cache": {"existingClaim": "elsewhere"}},
        wanted="PersistentVolumeClaim elsewhere has its volume on another node or in another zone",
    ),
    "mig": Row(
        happens=slice_up,
        spec={"gpus": {"memory": "20Gi", "resourceName": "nvidia.com/mig-3g.20gb"}},
        reason="NoGpuLeft",
        wanted="Node {node} offers no nvidia.com/mig-3g.20gb. Name what the node offers in `gpus.resourceName`"
        " (nvidia.com/mig-1g.5gb)",
    ),
    "labels": Row(
        spec={"nodeSelector": {"disk": "absent"}},
        wanted="No node has disk=absent of `nodeSelector`; `kubectl get nodes --show-labels`",
    ),
}
"""Another fault of placement is a row more."""


@contextmanager
def volume_elsewhere(cluster: Cluster, namespace: str) -> Iterator[None]:
    """Make a claim whose volume another node has, for the length of a block."""
    there = to("kubernetes.io/hostname", "elsewhere")
    common = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"elsewhere-{namespace}"},
        "spec": {
            **common,
            "capacity": {"storage": "1Gi"},
            "local": {"path": "/elsewhere"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [there]}},
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "elsewhere"},
        "spec": {**common, "volumeName": f"elsewhere-{namespace}", "resources": {"requests": {"storage": "1Gi"}}},
    }
    cluster.api.create("/api/v1/persistentvolumes", volume)
    cluster.api.create(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims", claim)
    try:
        yield
    finally:
        cluster.api.delete(f"/api/v1/persistentvolumes/elsewhere-{namespace}")


def test_what_holds_an_engine_is_what_is_said(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    with volume_elsewhere(cluster, namespace):
        pools: dict[str, tuple[Pool, str]] = {}
        for name, row in ROWS.items():
            node = gpu_node(replicas=4, labels={MEMBER: name})
            until_open(cluster, node)
            row.happens(cluster, node)
            spec = {"gpus": {"memory": "24Gi"}, **row.spec}
            pools[name] = (Pool.create(cluster, namespace, body(name, {"gpuMemoryFraction": 0.3}, **spec)), node)
        for name, (pool, node) in pools.items():
            row = ROWS[name]

            def said(pool: Pool = pool, row: Row = row, node: str = node) -> bool:
                ready = pool.conditions().get("Ready", {})
                assert ready.get("reason") == row.reason, ready
                assert row.wanted.format(node=node) in ready["message"], ready["message"]
                if row.spec.get("nodeSelector") is None:
                    assert "No node fits `nodeSelector`" not in ready["message"]
                return True

            waiting.wait_for(f"what holds the engine: {name}", said)
