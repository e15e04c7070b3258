"""What the node's programs are told, and that all of Kubernetes is of one version."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from modelpool_cluster.binaries import pins
from modelpool_cluster.binaries.resolving import MODULE
from modelpool_cluster.controlplane import components
from modelpool_cluster.controlplane.layout import Layout
from modelpool_cluster.node import addresses, configuration
from modelpool_cluster.node.configuration import Files
from modelpool_cluster.node.plane import NodePlane

FILES = Files(layout=Layout(Path("/run-folder")), cgroup="modelpool-node-1-abc")


def test_the_node_is_of_the_control_plane_s_version() -> None:
    ours, theirs = (pins.versions((MODULE / name / "go.mod").read_text()) for name in ("", "node"))
    assert ours["k8s.io/kubernetes"] == theirs["k8s.io/kubernetes"]


def test_containerd_keeps_to_the_run_s_folder_and_lowers_no_score() -> None:
    document = tomllib.loads(configuration.containerd(FILES))

    cri = document["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["restrict_oom_score_adj"] is True
    assert set(cri["containerd"]["runtimes"]) == {"runc", "nvidia"}
    assert document["root"].startswith("/run-folder/")
    assert document["grpc"]["address"] == str(FILES.socket)


def test_the_kubelet_writes_nowhere_but_into_the_run_s_folder() -> None:
    document = configuration.kubelet(FILES)

    assert document["cgroupRoot"] == "/modelpool-node-1-abc"
    paths = [value for value in document.values() if isinstance(value, str) and "/" in value]
    assert all("/run-folder/" in path for path in paths if not path.startswith(("/modelpool-node", "kubelet."))), paths
    assert json.loads(json.dumps(document)) == document


def test_every_program_is_told_the_node_s_address() -> None:
    assert configuration.SITE.address == addresses.ADDRESS
    assert f"--node-ip={addresses.ADDRESS}" in configuration.commands(FILES)["kubelet"]
    assert f"bind {addresses.ADDRESS}" in configuration.dns(FILES)


def test_an_api_server_for_kubelets_can_be_reached_by_pods_and_reaches_logs() -> None:
    flags = components.apiserver(FILES.layout, 6443, configuration.SITE)

    assert {"--endpoint-reconciler-type=lease", "--authorization-mode=Node,RBAC"} <= set(flags)
    assert f"--advertise-address={addresses.ADDRESS}" in flags
    assert any(flag.startswith("--kubelet-client-certificate=") for flag in flags)
    assert {addresses.ADDRESS, components.SERVICE_ADDRESS, "kubernetes.default.svc"} <= set(NodePlane.names)


def test_a_silent_kubelet_is_missed_and_a_fake_node_is_not() -> None:
    assert "--node-monitor-grace-period=86400s" in components.controller_manager(FILES.layout)
    grace = f"--node-monitor-grace-period={configuration.SITE.silence_seconds}s"
    assert grace in components.controller_manager(FILES.layout, configuration.SITE)
    assert configuration.SITE.silence_seconds >= 2 * configuration.kubelet(FILES)["nodeLeaseDurationSeconds"]


def test_a_second_node_shares_the_network_and_nothing_else() -> None:
    second = Files(layout=FILES.layout, cgroup=f"{FILES.cgroup}/other", host=addresses.SECOND)
    assert configuration.commands(second).keys() == {"containerd", "kubelet"}
    assert f"--node-ip={addresses.SECOND.address}" in configuration.commands(second)["kubelet"]
    assert (second.folder, second.socket) != (FILES.folder, FILES.socket)
    assert configuration.network(second) == configuration.network(FILES)
    first, other = configuration.kubelet(FILES), configuration.kubelet(second)
    own = {"address", "tlsCertFile", "tlsPrivateKeyFile", "containerRuntimeEndpoint", "cgroupRoot", "resolvConf"}
    assert {key for key, value in first.items() if other[key] != value} == own | {"podLogsDir", "volumePluginDir"}
