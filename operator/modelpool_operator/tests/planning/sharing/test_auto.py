"""Which way of sharing is chosen, by what; what is said where there is none; and that a pool that runs keeps it."""

from dataclasses import replace
from typing import Any

import pytest

from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import SharingStatus
from modelpool_operator.planning.changes.plan import make_plan
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.sharing.inventory import DeviceView, Inventory, NodeView
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.planning.pools import after, pool_of, vllm

NODE = {"kubernetes.io/hostname": "gpu-1"}
GIB = 1 << 30


def node(strategy: str | None = None, *, hami: bool = False, **resources: int) -> NodeView:
    """Return a node that offers resources, `gpu_shared=4` standing for nvidia.com/gpu.shared."""
    labels = {**NODE, **({"nvidia.com/gpu.sharing-strategy": strategy} if strategy else {})}
    offered = {f"nvidia.com/{name.replace('_', '.')}": amount for name, amount in resources.items()}
    return NodeView(name="gpu-1", labels=labels, resources=offered, has_hami=hami)


def devices(count: int, where: str = "gpu-1", memory: int = 24 * GIB) -> tuple[DeviceView, ...]:
    return tuple(DeviceView(node=where, name=f"gpu-{place}", memory=memory) for place in range(count))


def pool(*models: dict[str, Any], **gpus: Any) -> ModelPool:
    wanted = models or (vllm("a", 0.4), vllm("b", 0.3))
    return pool_of(*wanted, gpus={"sharing": "auto", **gpus}, nodeSelector=NODE, ollama={"enabled": False})


DRIVER = frozenset({"gpu.nvidia.com"})
RUNTIME = frozenset({"nvidia"})
EVERYTHING = Inventory(
    nodes=(node("time-slicing", hami=True, gpu=4),), devices=devices(1), device_classes=DRIVER, runtime_classes=RUNTIME
)

OFFERS: dict[str, tuple[Inventory, str, str]] = {
    "everything": (
        EVERYTHING,
        "dra",
        "DeviceClass gpu.nvidia.com, and 1 device of that driver on node gpu-1",
    ),
    "all but a class of devices": (
        replace(EVERYTHING, device_classes=frozenset()),
        "hami",
        "node gpu-1 has the annotation hami.io/node-nvidia-register",
    ),
    "devices on another node": (
        replace(EVERYTHING, devices=devices(1, "elsewhere")),
        "hami",
        "node gpu-1 has the annotation hami.io/node-nvidia-register",
    ),
    "HAMi by its resource": (
        Inventory(nodes=(NodeView(name="gpu-1", labels=NODE, resources={"nvidia.com/gpumem-percentage": 100}),)),
        "hami",
        "node gpu-1 offers nvidia.com/gpumem-percentage",
    ),
    "replicas of a card": (
        Inventory(nodes=(node("time-slicing", gpu=4),), runtime_classes=RUNTIME),
        "timeSlicing",
        "node gpu-1 offers 4 replicas of nvidia.com/gpu",
    ),
    "replicas that are called otherwise": (
        Inventory(nodes=(node("time-slicing", gpu_shared=4),)),
        "timeSlicing",
        "node gpu-1 offers 4 replicas of nvidia.com/gpu.shared",
    ),
    "a runtime class and nothing else": (
        Inventory(nodes=(node(),), runtime_classes=RUNTIME),
        "visibleDevices",
        "RuntimeClass nvidia, and nothing that counts cards",
    ),
    "too few replicas": (
        Inventory(nodes=(node("time-slicing", gpu=1),), runtime_classes=RUNTIME),
        "visibleDevices",
        "RuntimeClass nvidia, and nothing that counts cards",
    ),
    "MPS is no way": (
        Inventory(nodes=(node("mps", gpu_shared=4),), runtime_classes=RUNTIME),
        "visibleDevices",
        "RuntimeClass nvidia, and nothing that counts cards",
    ),
}


@pytest.mark.parametrize(("offered", "mode", "evidence"), OFFERS.values(), ids=OFFERS.keys())
def test_the_first_way_that_is_offered_is_chosen(offered: Inventory, mode: str, evidence: str) -> None:
    plan = make_plan(pool(), Observed(inventory=offered))
    assert plan.sharing is not None
    assert (plan.sharing.mode, plan.sharing.evidence) == (mode, evidence)
    assert isinstance(plan.placement, Placement)
    assert plan.placement.sharing.value == mode


def test_pods_ask_for_the_resource_that_was_found() -> None:
    plan = make_plan(pool(), Observed(inventory=OFFERS["replicas that are called otherwise"][0]))
    (pod, _) = (one["spec"]["template"]["spec"] for one in plan.apply if one["kind"] == "Deployment")
    assert pod["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu.shared": "1"}


def test_whole_cards_are_enough_where_every_engine_gets_one() -> None:
    found = Inventory(nodes=(node("none", gpu=2),), runtime_classes=RUNTIME)
    plan = make_plan(pool(count=2), Observed(inventory=found))
    assert plan.sharing is not None
    assert (plan.sharing.mode, plan.sharing.evidence) == (
        "exclusive",
        "node gpu-1 offers 2 whole cards as nvidia.com/gpu",
    )


def test_a_way_that_the_pool_cannot_use_is_passed_over() -> None:
    found = Inventory(nodes=(node("time-slicing", gpu=8),), runtime_classes=RUNTIME)
    plan = make_plan(pool(count=2), Observed(inventory=found))
    assert plan.sharing is not None
    assert plan.sharing.mode == "visibleDevices"


def test_where_nothing_is_offered_all_that_was_looked_for_is_said() -> None:
    found = Inventory(nodes=(node("time-slicing", gpu=8),), devices=devices(1), device_classes=DRIVER)
    plan = make_plan(pool(count=2), Observed(inventory=found))
    assert plan.refusal is not None
    assert (plan.refusal.reason, plan.refusal.passing) == ("NoSharingOffered", True)
    assert plan.refusal.message == (
        "`gpus.sharing` is 'auto', and the pool's nodes offer no way to share a card:"
        " dra: no node has 2 devices of driver gpu.nvidia.com in its ResourceSlices, at most 1;"
        " hami: no node has the annotation hami.io/node-nvidia-register or offers nvidia.com/gpumem-percentage;"
        " timeSlicing: is there (node gpu-1 offers 8 replicas of nvidia.com/gpu), but `gpus.count` must be 1 with"
        " sharing 'timeSlicing', got 2: the device plugin chooses the card and may put every engine on the same one;"
        " use 'visibleDevices', or one pool per card;"
        " exclusive: no node offers 2 whole cards as nvidia.com/gpu, one for each engine, at most 0;"
        " visibleDevices: no RuntimeClass nvidia"
    )
    assert plan.sharing is None


def test_a_pool_that_runs_keeps_its_way_whatever_comes() -> None:
    before = Observed(inventory=OFFERS["replicas of a card"][0])
    first = make_plan(pool(), before)
    running = replace(after(before, first), inventory=EVERYTHING, chosen=first.sharing)
    second = make_plan(pool(), running)
    assert second.sharing == first.sharing
    assert not second
    gone = make_plan(pool(), replace(running, inventory=Inventory()))
    assert gone.sharing == first.sharing
    assert gone.refusal is None


def test_a_way_that_is_kept_and_does_not_serve_what_is_wanted_now_is_said_to_be_kept() -> None:
    kept = SharingStatus(mode="timeSlicing", evidence="before")
    offered = Inventory(nodes=(node("time-slicing", gpu=4),), runtime_classes=RUNTIME)
    first = make_plan(pool(), Observed(inventory=offered, chosen=kept))
    runs = replace(after(Observed(), first), inventory=offered, chosen=kept)
    plan = make_plan(pool(count=2), runs)
    assert plan.refusal is not None
    assert (plan.refusal.reason, plan.sharing) == ("SharingNotPossible", kept)
    assert "`gpus.sharing` is 'auto', and the pool keeps 'timeSlicing', with which it runs" in plan.refusal.message
    assert "delete its Deployments" in plan.refusal.message


def test_a_pool_without_anything_running_is_chosen_for_anew() -> None:
    recorded = SharingStatus(mode="timeSlicing", evidence="before")
    plan = make_plan(pool(), Observed(inventory=EVERYTHING, chosen=recorded))
    assert plan.sharing is not None
    assert plan.sharing.mode == "dra"


def test_a_record_that_makes_no_sense_is_none() -> None:
    first = make_plan(pool(), Observed(inventory=EVERYTHING))
    edited = replace(after(Observed(), first), inventory=EVERYTHING, chosen=SharingStatus(mode="auto", evidence="?"))
    assert make_plan(pool(), edited).sharing == first.sharing


def test_a_plan_that_is_refused_chooses_nothing_for_later() -> None:
    plan = make_plan(pool(vllm("a", 1.0)), Observed(inventory=EVERYTHING))
    assert plan.refusal is not None
    assert plan.sharing is None


def test_the_driver_says_how_large_a_card_is() -> None:
    found = replace(EVERYTHING, devices=(*devices(1, memory=24 * GIB), *devices(1, memory=22 * GIB)))
    placed = make_plan(pool(memory=None), Observed(inventory=found)).placement
    assert isinstance(placed, Placement)
    assert placed.cards[0].memory == 22 * GIB


def test_a_claim_of_a_card_that_may_be_shared_asks_for_all_of_it() -> None:
    shared = tuple(replace(device, shareable=True) for device in devices(1))
    plan = make_plan(pool(), Observed(inventory=replace(EVERYTHING, devices=shared)))
    (claim,) = (one for one in plan.apply if one["kind"] == "ResourceClaim")
    asked = {"deviceClassName": "gpu.nvidia.com", "capacity": {"requests": {"memory": "24576Mi"}}}
    assert claim["spec"]["devices"]["requests"] == [{"name": "gpu", "exactly": asked}]
    # A claim cannot change: one that is there stays, whatever the driver says later.
    later = replace(after(Observed(), plan), inventory=EVERYTHING, chosen=plan.sharing)
    assert not make_plan(pool(), later)
