"""A whole run from the command line, and nothing is left of it: not after Ctrl-C, not after its owner was killed."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelpool_cluster.cluster import AuditUnavailableError, Cluster
from modelpool_cluster.settings import Provider, current
from modelpool_cluster.tests.test_supervision import is_gone
from modelpool_cluster.waiting import wait_for

pytestmark = pytest.mark.cluster


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder with a short name: Unix sockets lie below it."""
    with tempfile.TemporaryDirectory(prefix="mp-") as folder:
        yield Path(folder)


def children(pid: int) -> set[int]:
    """Return the processes below a process."""
    below = {
        int(child) for listing in Path(f"/proc/{pid}/task").glob("*/children") for child in listing.read_text().split()
    }
    return below | {grandchild for child in below for grandchild in children(child)}


def test_an_external_cluster_is_used_and_left_as_it_was(cluster: Cluster, scratch: Path) -> None:
    settings = dataclasses.replace(
        current(), provider=Provider.EXTERNAL, kubeconfig=cluster.kubeconfig, scratch=scratch
    )

    with Cluster(settings, cluster.binaries) as guest:
        node = guest.add_gpu_node("guest")
        assert cluster.api.find(f"/api/v1/nodes/{node}") is not None
        assert guest.folder.parent == scratch
        with pytest.raises(AuditUnavailableError):
            guest.audit_events()

    assert cluster.api.find(f"/api/v1/nodes/{node}") is None
    assert cluster.kubeconfig.is_file()
    assert not list(scratch.iterdir())


FAKE_KIND = """#!/bin/sh
echo "$@" >> "{log}"
[ "$1" = create ] && cp "{kubeconfig}" "$6"
exit 0
"""


def test_a_kind_cluster_is_created_used_and_deleted(
    cluster: Cluster, scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = tmp_path / "kind"  # stands in for the program, and leads to a cluster that is real
    kind.write_text(FAKE_KIND.format(log=tmp_path / "log", kubeconfig=cluster.kubeconfig))
    kind.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    settings = dataclasses.replace(current(), provider=Provider.KIND, scratch=scratch)

    with Cluster(settings, cluster.binaries) as guest:
        assert "kube-system" in guest.kubectl("get", "namespaces", "-o", "name")
        name = guest.manager.cluster_name
        kubeconfig = guest.kubeconfig

    assert (tmp_path / "log").read_text().splitlines() == [
        f"create cluster --name {name} --kubeconfig {kubeconfig}",
        f"delete cluster --name {name}",
    ]
    assert not list(scratch.iterdir())


@pytest.mark.parametrize(("end", "status"), [(signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_nothing_is_left_of_a_run(scratch: Path, end: signal.Signals, status: int) -> None:
    environment = {**current().environment, "TMPDIR": str(scratch)}
    command = [sys.executable, "-m", "modelpool_cluster", "up"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        kubeconfig = next(line for line in run.stdout if line.startswith("export KUBECONFIG=")).partition("=")[2]
        processes = children(run.pid)
        names = {Path(f"/proc/{pid}/comm").read_text().strip() for pid in processes}
        assert {"etcd", "kube-apiserver", "kube-controller", "kube-scheduler", "kwok"} <= names
        assert Path(kubeconfig.strip()).is_relative_to(scratch)

        run.send_signal(end)

        assert run.wait(60) == status
        wait_for("the end of all processes", lambda: all(is_gone(pid) for pid in processes))
    wait_for("the end of all files", lambda: not list(scratch.iterdir()))
