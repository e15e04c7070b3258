"""Two operators: a second release, one whose node is cut off, and one of a namespace. One is at work, and no other."""

import contextlib
import signal
import urllib.error
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.plugin import GpuNodes
from modelpool_under_test.processes.installation import Installation, installed, rendered
from modelpool_under_test.processes.operator_program import Operator
from modelpool_under_test.processes.pools import Object, Pool, small
from modelpool_under_test.processes.programs import started

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def chart(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return rendered(helm, tmp_path_factory.mktemp("helm"), everywhere=True)


@contextlib.contextmanager
def released(cluster: Cluster, chart: str, namespace: str, folder: Path) -> Iterator[Installation]:
    folder.mkdir()
    with installed(cluster, chart, namespace, folder, everywhere=True) as found:
        yield found


@contextlib.contextmanager
def waiting_operator(installation: Installation) -> Iterator[Operator]:
    """Run an operator that need not become ready."""
    account = installation.account("operator")
    told = (
        f"--kubeconfig={installation.cluster.kubeconfig_for(installation.namespace, account)}",
        *("--health-address=127.0.0.1:0", "--metrics-address=127.0.0.1:0", "--log-format=json"),
    )
    with started("modelpool_operator", *told, log=installation.folder / "waiting.log") as program:
        user = f"system:serviceaccount:{installation.namespace}:{account}"
        found = Operator(cluster=installation.cluster, user=user, program=program)

        def served() -> bool:
            program.assert_alive()
            found.ports = {line["what"]: line["port"] for line in program.lines() if line["message"] == "Serving"}
            return "health" in found.ports

        waiting.wait_for("its health", served)
        yield found


def not_ready(operator: Operator) -> str:
    """Return why an operator is not ready."""
    try:
        operator.fetch("health", "/readyz")
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.read().decode()
    return ""


def test_a_second_release_changes_nothing_until_the_first_is_gone_and_one_cut_off_stops(
    cluster: Cluster, chart: str, gpu_node: GpuNodes, namespace: str, tmp_path: Path
) -> None:
    gpu_node(replicas=4)
    second_namespace = f"{namespace}-2"
    cluster.add_namespace(second_namespace)
    with (
        released(cluster, chart, namespace, tmp_path / "first") as first_release,
        released(cluster, chart, second_namespace, tmp_path / "second") as second_release,
        first_release.operator() as first,
        waiting_operator(second_release) as second,
    ):
        waiting.wait_for("the second one to say whom it waits for", lambda: "holds the Lease" in not_ready(second))
        pool = Pool.create(cluster, namespace, small(models=1))
        pool.wait_ready("1/1")
        pool.edit(lambda spec: concurrency(spec, 3))
        pool.settle(first)
        assert second.writes() == [], "a second release changes nothing"

        first.program.process.send_signal(signal.SIGSTOP)  # as a node that is cut off
        second.wait_until_ready()
        began = datetime.now(UTC)
        pool.edit(lambda spec: concurrency(spec, 5))
        waiting.wait_for("the second one's work", lambda: [one for one in second.writes(began) if "deployments" in one])
        first.program.process.send_signal(signal.SIGCONT)
        waiting.wait_for("the end of the first one", lambda: first.program.process.poll() is not None)
        assert first.program.process.returncode == 1
        (said,) = (line for line in first.program.lines() if line["message"] == "Stops: others may be at work")
        print(said["error"])
        assert first.writes(began) == []
        pool.wait_ready("1/1")
        second.program.stop()
        lease = cluster.api.get("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/modelpool-operator")
        assert lease["spec"]["holderIdentity"] == "", "given up at once"
        first.program.process.returncode = -signal.SIGKILL  # it did not end well, and was not to
    cluster.remove_namespace(second_namespace)


def test_an_operator_of_a_namespace_serves_it_alone(
    cluster: Cluster, chart: str, rendered_chart: str, gpu_node: GpuNodes, namespace: str, tmp_path: Path
) -> None:
    gpu_node(replicas=4)
    home = f"{namespace}-2"
    cluster.add_namespace(home)
    (tmp_path / "own").mkdir()
    with (
        released(cluster, chart, home, tmp_path / "all") as release,
        release.operator() as everywhere,
    ):
        pool = Pool.create(cluster, namespace, small(models=1))
        pool.wait_ready("1/1")
        with (
            installed(cluster, rendered_chart, namespace, tmp_path / "own") as own_release,
            own_release.operator() as own,
        ):
            pool.settle(everywhere)
            for turn in range(3, 8):
                began = datetime.now(UTC)
                pool.edit(lambda spec: concurrency(spec, turn))  # noqa: B023
                waiting.wait_for("the edit", lambda: [one for one in own.writes(began) if "deployments" in one])  # noqa: B023
            waiting.wait_for("rest", lambda: pool.settle(own) or True)
            assert everywhere.writes(began) == [], "the namespace has an operator of its own"
    cluster.remove_namespace(home)


def concurrency(spec: Object, number: int) -> None:
    spec["models"][0]["maxConcurrency"] = number
