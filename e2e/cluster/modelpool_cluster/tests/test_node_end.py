"""A real node's end leaves nothing: neither when it is closed nor when its owner is killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from modelpool_cluster.node import traces
from modelpool_cluster.node.cluster import NodeCluster
from modelpool_cluster.waiting import wait_for

OWNER = """
import dataclasses, json, signal
from modelpool_cluster.binaries import Binaries
from modelpool_cluster.node.cluster import NodeCluster
from modelpool_cluster.settings import current
settings = current()
with NodeCluster(settings, Binaries(settings, lambda line: None)) as cluster:
    files = cluster.machine.files
    print(json.dumps([str(files.layout.folder), files.cgroup, cluster.machine.space.identity]), flush=True)
    signal.pause()
"""


def test_a_node_is_a_node(node_cluster: NodeCluster) -> None:
    (node,) = node_cluster.api.items("/api/v1/nodes")
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"].startswith("containerd://")
    assert node_cluster.add_gpu_node(gpus=2, replicas=3, memory_mib=12288) == node["metadata"]["name"]
    (node,) = node_cluster.api.items("/api/v1/nodes")
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "6"
    assert node["metadata"]["labels"]["nvidia.com/gpu.memory"] == "12288"
    node_cluster.remove_node(node["metadata"]["name"])
    (node,) = node_cluster.api.items("/api/v1/nodes")
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "0"
    assert not [label for label in node["metadata"]["labels"] if label.startswith("nvidia.com/")]


def test_a_killed_owner_leaves_nothing(node_cluster: NodeCluster) -> None:
    """Beside a node that lives: two runs do not meet."""
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout is not None
        with owner.stdout:
            folder, cgroup, network = json.loads(owner.stdout.readline())
        mark = traces.Mark(folder=Path(folder), cgroup=cgroup, network=network)
        assert traces.look(mark).cgroups
    finally:
        owner.kill()
        owner.wait()

    wait_for("the end of the node", lambda: not traces.look(mark), timeout=60)
    assert node_cluster.api.items("/api/v1/nodes"), "the other node lives on"
