"""Devices and nodes as an API server lists them, reduced."""

from typing import Any

import pytest

from modelpool_operator.planning.sharing.inventory import DeviceView, Inventory, NodeView, devices_in

GIB = 1 << 30


def resource_slice(*devices: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"driver": "gpu.nvidia.com", "nodeName": "n", "devices": list(devices), **spec}}


def device(name: str, memory: str, **attributes: str) -> dict[str, Any]:
    described = {key: {"string": value} for key, value in attributes.items()}
    return {"name": name, "attributes": described, "capacity": {"memory": {"value": memory}}}


def test_a_slice_tells_whole_cards_and_their_memory() -> None:
    found = devices_in(resource_slice(device("gpu-0", "81559Mi", type="gpu"), device("gpu-1", "24Gi")))
    assert found == (
        DeviceView(node="n", name="gpu-0", memory=81559 << 20),
        DeviceView(node="n", name="gpu-1", memory=24 * GIB),
    )


def test_parts_of_cards_and_other_devices_do_not_count() -> None:
    assert devices_in(resource_slice(device("mig", "10Gi", type="mig"))) == ()
    assert devices_in(resource_slice(device("nic", "1Gi"), driver="nic.example.com")) == ()
    assert devices_in(resource_slice(device("fabric", "1Gi"), nodeName=None)) == ()
    assert devices_in({}) == ()


def test_a_capacity_that_nobody_can_read_is_unknown() -> None:
    (bare, odd) = devices_in(resource_slice({"name": "gpu-0"}, device("gpu-1", "much")))
    assert (bare.memory, odd.memory) == (None, None)


def test_who_is_asked_first_wins_and_the_least_counts() -> None:
    nodes = (NodeView(name="both", gpu_memory=24 * GIB), NodeView(name="label", gpu_memory=12 * GIB))
    devices = tuple(DeviceView(node="both", name=str(size), memory=size * GIB) for size in (23, 22))
    found = Inventory(nodes=nodes, devices=(*devices, DeviceView(node="driver", name="x", memory=8 * GIB)))
    rest = {"label": (12 * GIB,), "driver": (8 * GIB,)}
    assert found.memories(by_devices=True) == {"both": (22 * GIB, 23 * GIB), **rest}
    assert found.memories(by_devices=False) == {"both": (24 * GIB,), **rest}


def test_a_node_tells_its_resources_and_whether_hami_is_there() -> None:
    annotations = {"hami.io/node-nvidia-register": "[]"}
    allocatable = {"nvidia.com/gpu": "4", "nvidia.com/gpumem": "16k", "nvidia.com/odd": "?", "cpu": "64"}
    node = NodeView.from_manifest({"metadata": {"annotations": annotations}, "status": {"allocatable": allocatable}})
    assert (dict(node.resources), node.has_hami) == ({"nvidia.com/gpu": 4, "nvidia.com/gpumem": 16000}, True)


def test_a_node_tells_whom_it_keeps_off() -> None:
    taints = [{"key": "dedicated", "value": "ml", "effect": "NoSchedule"}, {"key": "bare", "effect": "NoExecute"}]
    node = NodeView.from_manifest({"metadata": {"name": "n"}, "spec": {"taints": taints, "unschedulable": True}})
    assert ([str(taint) for taint in node.taints], node.cordoned) == (
        ["dedicated=ml:NoSchedule", "bare:NoExecute"],
        True,
    )


@pytest.mark.parametrize(
    ("resource", "memory"),
    [
        ("nvidia.com/gpu", 40960),
        (None, 40960),
        ("nvidia.com/mig-3g.20gb", 19968),
        ("nvidia.com/mig-3g.20gb.shared", 19968),
        ("nvidia.com/mig-1g.5gb", None),
    ],
)
def test_a_slice_of_a_card_has_the_memory_of_its_own_label(resource: str | None, memory: int | None) -> None:
    labels = {"nvidia.com/gpu.memory": "40960", "nvidia.com/mig-3g.20gb.memory": "19968"}
    node = NodeView.from_manifest({"metadata": {"name": "n", "labels": labels}})
    found = Inventory(nodes=(node,), devices=(DeviceView(node="n", name="gpu-0", memory=40 * GIB),))
    known = found.memories(by_devices=False, resource=resource)
    assert known == ({} if memory is None else {"n": (memory << 20,)})


def test_a_card_that_several_may_have_is_asked_for_whole() -> None:
    shared = {"allowMultipleAllocations": True}
    found = devices_in(resource_slice({**device("gpu-0", "12Gi"), **shared}, {**device("gpu-1", "11Gi"), **shared}))
    assert Inventory(devices=found).whole_card == 11 * GIB
    assert Inventory(devices=devices_in(resource_slice(device("gpu-0", "12Gi")))).whole_card is None
