"""A node with cards that are DRA devices."""

from collections.abc import Iterator

import pytest
from sharing_modes_devices import published

from modelpool_cluster.cluster import Cluster
from modelpool_cluster.plugin import GpuNodes


@pytest.fixture
def two_cards(cluster: Cluster, gpu_node: GpuNodes) -> Iterator[str]:
    """A node whose two cards of 12 GiB are devices, as NVIDIA's driver would publish them."""
    node = gpu_node(gpus=2, memory_mib=12288)
    with published(cluster, node, count=2, memory="12Gi"):
        yield node
