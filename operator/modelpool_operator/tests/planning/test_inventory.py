"""Devices and nodes as an API server lists them, reduced."""

from typing import Any

from modelpool_operator.planning.inventory import DeviceView, Inventory, NodeView, devices_in

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
    assert found.memories(by_devices=True) == {"both": 22 * GIB, "label": 12 * GIB, "driver": 8 * GIB}
    assert found.memories(by_devices=False) == {"both": 24 * GIB, "label": 12 * GIB, "driver": 8 * GIB}


def test_only_nodes_with_the_labels_count() -> None:
    nodes = (NodeView(name="a", labels={"zone": "1"}), NodeView(name="b", labels={"zone": "2"}))
    found = Inventory(nodes=nodes, devices=tuple(DeviceView(node=name, name="gpu") for name in "abc"))
    there = found.of({"zone": "1"})
    assert [node.name for node in there.nodes] == ["a"]
    assert [one.node for one in there.devices] == ["a"]
    assert found.of({}) == found


def test_a_node_tells_its_resources_and_whether_hami_is_there() -> None:
    annotations = {"hami.io/node-nvidia-register": "[]"}
    allocatable = {"nvidia.com/gpu": "4", "nvidia.com/odd": "1k", "cpu": "64"}
    node = NodeView.from_manifest({"metadata": {"annotations": annotations}, "status": {"allocatable": allocatable}})
    assert (dict(node.resources), node.has_hami) == ({"nvidia.com/gpu": 4}, True)


def test_a_card_that_several_may_have_is_asked_for_whole() -> None:
    shared = {"allowMultipleAllocations": True}
    found = devices_in(resource_slice({**device("gpu-0", "12Gi"), **shared}, {**device("gpu-1", "11Gi"), **shared}))
    assert Inventory(devices=found).whole_card == 11 * GIB
    assert Inventory(devices=devices_in(resource_slice(device("gpu-0", "12Gi")))).whole_card is None
