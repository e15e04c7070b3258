"""Cards of a node as NVIDIA's DRA driver would publish them, without a driver."""

import contextlib
from collections.abc import Iterator
from typing import Final

from modelpool_cluster.cluster import Cluster

DRA: Final = "/apis/resource.k8s.io/v1"
DRIVER: Final = "gpu.nvidia.com"


@contextlib.contextmanager
def published(cluster: Cluster, node: str, *, count: int, memory: str, shared: bool = False) -> Iterator[None]:
    """Make the driver's DeviceClass and a ResourceSlice of the node's cards, and take both away at the end.

    Args:
        cluster: where.
        node: whose cards.
        count: how many.
        memory: of each.
        shared: whether several claims may have one card, as with the driver's consumable shares `unlimited`: a claim
            that does not ask for memory takes none.
    """
    device_class = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "DeviceClass",
        "metadata": {"name": DRIVER},
        "spec": {"selectors": [{"cel": {"expression": f"device.driver == '{DRIVER}'"}}]},
    }
    policy = {"requestPolicy": {"default": "0", "validRange": {"min": "0"}}} if shared else {}
    devices = [
        {
            "name": f"gpu-{index}",
            "attributes": {"type": {"string": "gpu"}},
            "capacity": {"memory": {"value": memory, **policy}},
            **({"allowMultipleAllocations": True} if shared else {}),
        }
        for index in range(count)
    ]
    inventory = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": f"{node}-gpus"},
        "spec": {
            "driver": DRIVER,
            "nodeName": node,
            "pool": {"name": node, "generation": 1, "resourceSliceCount": 1},
            "devices": devices,
        },
    }
    cluster.api.create(f"{DRA}/deviceclasses", device_class)
    try:
        cluster.api.create(f"{DRA}/resourceslices", inventory)
        yield
    finally:
        cluster.api.delete(f"{DRA}/resourceslices/{node}-gpus")
        cluster.api.delete(f"{DRA}/deviceclasses/{DRIVER}")
