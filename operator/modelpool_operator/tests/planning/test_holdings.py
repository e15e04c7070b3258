"""What pods and claims that are nobody's hold, and what a pool does, from the objects that the API server has."""

from typing import Any

import pytest

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import Sharing
from modelpool_operator.api.quantity import GIB, MIB
from modelpool_operator.planning.observation.holdings import HAMI, Hold, asked_of, counter_in, of_claim, of_pod
from modelpool_operator.planning.placement.occupants import Occupant, standing, startable
from modelpool_operator.planning.placement.pool_holdings import holds_of
from modelpool_operator.tests.planning.pools import pool_of, settled, two_cards, vllm

GPU, SHARED, PART = "nvidia.com/gpu", "nvidia.com/gpu.shared", "nvidia.com/mig-3g.20gb"
REF = ObjectRef("llm", "agentic")


def pod(*containers: dict[str, Any], node: str | None = "gpu-1", phase: str = "Running", **spec: Any) -> dict[str, Any]:
    told = [{"resources": {"limits": limits}} for limits in containers]
    return {
        "metadata": {"namespace": "lab", "name": "notebook"},
        "spec": {"containers": told, **({"nodeName": node} if node else {}), **spec},
        "status": {"phase": phase},
    }


PODS: dict[str, tuple[dict[str, Any], list[tuple[int, int | None, int | None, str]]]] = {
    "no card": (pod({"cpu": "1"}), []),
    "a card": (pod({GPU: "1"}), [(1, None, None, GPU)]),
    "cards of several containers": (pod({GPU: "1"}, {GPU: 2}), [(3, None, None, GPU)]),
    "the larger of what comes first and what comes then": (
        pod({GPU: "1"}, initContainers=[{"resources": {"requests": {GPU: "2"}}}]),
        [(2, None, None, GPU)],
    ),
    "a replica": (pod({SHARED: "1"}), [(1, None, None, SHARED)]),
    "a part of a card": (pod({PART: "1"}), [(1, None, None, PART)]),
    "a slice in MiB": (pod({GPU: "1", "nvidia.com/gpumem": "4000"}), [(1, 4000 * MIB, None, HAMI)]),
    "a slice in per cent of two cards": (
        pod({GPU: "2", "nvidia.com/gpumem-percentage": "25"}),
        [(2, None, 25, HAMI)],
    ),
    "a slice of compute alone, which is all of the memory": (
        pod({GPU: "1", "nvidia.com/gpucores": "30"}),
        [(1, None, None, HAMI)],
    ),
    "a slice of 16000 MiB, as the API server writes it": (
        pod({GPU: "1", "nvidia.com/gpumem": "16k"}),
        [(1, 16000 * MIB, None, HAMI)],
    ),
    "a sidecar's card beside a container's": (
        pod({GPU: "1"}, initContainers=[{"restartPolicy": "Always", "resources": {"limits": {GPU: "1"}}}]),
        [(2, None, None, GPU)],
    ),
    "an init container beside the sidecar that began before it": (
        pod(
            {},
            initContainers=[
                {"restartPolicy": "Always", "resources": {"limits": {GPU: "1"}}},
                {"resources": {"limits": {GPU: "2"}}},
            ],
        ),
        [(3, None, None, GPU)],
    ),
    "no node yet": (pod({GPU: "1"}, node=None), []),
    "it has ended": (pod({GPU: "1"}, phase="Succeeded"), []),
    "an amount that is no number": (pod({GPU: "one"}), [(1, None, None, GPU)]),
    "none of it": (pod({GPU: "0"}), []),
}


@pytest.mark.parametrize(("manifest", "holds"), PODS.values(), ids=PODS.keys())
def test_a_pod_holds_what_it_asks_for(
    manifest: dict[str, Any], holds: list[tuple[int, int | None, int | None, str]]
) -> None:
    found = of_pod(manifest)
    assert [(one.width, one.bytes, one.percent, one.counter) for one in found] == holds
    assert all((one.holder, one.node, one.gpus) == ("pod lab/notebook", "gpu-1", ()) for one in found)


def test_a_claim_holds_the_cards_that_it_was_given() -> None:
    results = [
        {"driver": "gpu.nvidia.com", "pool": "gpu-1", "device": "gpu-0"},
        {"driver": "gpu.nvidia.com", "pool": "gpu-1", "device": "gpu-1", "consumedCapacity": {"memory": "4Gi"}},
        {"driver": "gpu.nvidia.com", "pool": "gpu-1", "device": "gpu-2-mig-9-0-4"},
        {"driver": "net.example.com", "pool": "gpu-1", "device": "nic-0"},
        {"driver": "gpu.nvidia.com", "pool": "gpu-1", "device": "gpu-3", "adminAccess": True},
    ]
    status = {"allocation": {"devices": {"results": results}}, "reservedFor": [{"resource": "pods", "name": "train"}]}
    found = of_claim({"metadata": {"namespace": "lab", "name": "cards"}, "status": status})
    assert [(one.label, one.node, one.bytes) for one in found] == [
        ("claim lab/cards (gpu-0, of pod train)", "gpu-1", None),
        ("claim lab/cards (gpu-1, of pod train)", "gpu-1", 4 * GIB),
    ]
    assert of_claim({"metadata": {"namespace": "lab", "name": "cards"}}) == ()


def test_who_counts_an_engines_cards_stands_in_its_pod() -> None:
    assert counter_in({"containers": [{"env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "0"}]}]}) is None
    assert counter_in(pod({SHARED: "1"})["spec"]) == SHARED
    assert counter_in(pod({GPU: "1", "nvidia.com/gpumem-percentage": "38"})["spec"]) == HAMI
    assert counter_in(pod({}, resourceClaims=[{"name": "gpu-0"}])["spec"]) == "gpu.nvidia.com"
    assert asked_of({}) == {}


def held(holds: tuple[Hold, ...]) -> set[tuple[str, str | None, tuple[int, ...], int | None]]:
    return {(one.what, one.node, one.gpus, one.bytes) for one in holds}


def test_an_engine_that_changes_holds_the_larger_of_both_and_one_that_moves_both() -> None:
    old = (Occupant("a", (0,), 8 * GIB, None, "gpu-1"), Occupant("b", (0,), 4 * GIB, None, "gpu-1"))
    new = (Occupant("a", (0,), 6 * GIB, None), Occupant("b", (1,), 4 * GIB, None), Occupant("c", (1,), GIB, None))
    found = holds_of(REF, old, new, homes=["gpu-1"], sharing=Sharing.VISIBLE_DEVICES)
    assert held(found) == {
        ("a", "gpu-1", (0,), 8 * GIB),
        ("b", "gpu-1", (0,), 4 * GIB),
        ("b", "gpu-1", (1,), 4 * GIB),
        ("c", "gpu-1", (1,), GIB),
    }
    larger = holds_of(REF, old, [Occupant("a", (0,), 9 * GIB, None)], homes=[], sharing=Sharing.VISIBLE_DEVICES)
    assert ("a", "gpu-1", (0,), 9 * GIB) in held(larger)


def test_engines_that_share_a_claim_hold_its_card_once() -> None:
    pods = [Occupant(name, (0,), GIB, "gpu.nvidia.com", "gpu-1") for name in ("a", "b")]
    found = holds_of(REF, pods, (), homes=[], sharing=Sharing.DRA)
    assert [(one.what, one.node, one.whole) for one in found] == [("claim agentic-gpu-0", "gpu-1", True)]


def test_a_pools_deployments_tell_what_their_pods_will_hold() -> None:
    pool = pool_of(
        vllm("a", 0.4, gpu=1), vllm("wide", 0.2, tensorParallelSize=2), ollama={"gpuMemory": "2Gi"}, **two_cards()
    )
    found = {(one.what, one.gpus, one.bytes) for one in startable(settled(pool).children)}
    assert {(what, gpus) for what, gpus, _ in found} == {("a", (1,)), ("wide", (0, 1)), ("Ollama", (0,))}
    assert all(size > 2 * GIB for _, _, size in found)
    assert standing(()) == ()
