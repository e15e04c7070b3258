"""A real node's end leaves nothing: neither when it is closed nor when its owner is killed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from modelpool_cluster import leftovers
from modelpool_cluster.controlplane import layout
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
    supervisor = cluster.manager.plane.supervisor.pid
    print(json.dumps([str(files.layout.folder), files.cgroup, cluster.machine.space.identity, supervisor]), flush=True)
    signal.pause()
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Another program that has a node."""

    process: subprocess.Popen[str]
    supervisor: int
    mark: traces.Mark


@contextlib.contextmanager
def another_owner(scratch: Path | None = None) -> Iterator[Owner]:
    environment = {**os.environ, **({"TMPDIR": str(scratch)} if scratch is not None else {})}
    process = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        with process.stdout:
            folder, cgroup, network, supervisor = json.loads(process.stdout.readline())
        mark = traces.Mark(folder=Path(folder), cgroup=cgroup, network=network)
        assert traces.look(mark).cgroups
        yield Owner(process=process, supervisor=supervisor, mark=mark)
    finally:
        process.kill()
        process.wait()


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
    with another_owner() as owner:
        owner.process.kill()
        wait_for("the end of the node", lambda: not traces.look(owner.mark), timeout=60)
    assert node_cluster.api.items("/api/v1/nodes"), "the other node lives on"


def test_what_is_left_when_the_supervisor_is_killed_too_is_cleaned_up(node_cluster: NodeCluster) -> None:
    with tempfile.TemporaryDirectory(dir=layout.MEMORY) as short, another_owner(Path(short)) as owner:
        os.kill(owner.supervisor, signal.SIGKILL)
        owner.process.kill()
        owner.process.wait()
        wait_for("the kernel's part", lambda: not traces.look(owner.mark).processes, timeout=60)
        left = traces.look(owner.mark)
        assert left.files
        assert left.cgroups
        lines: list[str] = []

        assert leftovers.clean([Path(short)], Path(short), lines.append)

        assert not traces.look(owner.mark), lines
        assert f"Removed {owner.mark.folder}" in lines
        assert not leftovers.clean([Path(short)], Path(short), lines.append)
    assert node_cluster.api.items("/api/v1/nodes"), "the other node lives on"
