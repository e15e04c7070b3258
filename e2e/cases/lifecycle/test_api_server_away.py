"""The API server is killed and comes back: the operator stays up, misses nothing, and does nothing twice.

A control plane of its own, since no other test should meet an API server that is away.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from examples_pool import Object, Pool, small
from installation import Operator, installed

from modelpool_cluster import waiting
from modelpool_cluster.binaries import Binaries
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.managers import ControlPlaneManager
from modelpool_cluster.settings import Provider, current

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

NAMESPACE = "llm"
FAILURES = 6
"""Requests of the operator that fail before the API server comes back: its passes, again and again."""
GROWTH = 12 << 20
"""Bytes by which the operator may grow: nothing may pile up while nobody listens."""


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    settings = current()
    if settings.provider is not Provider.CONTROLPLANE:
        pytest.skip("only a control plane of our own may be killed")
    with Cluster(settings, Binaries(settings, print)) as cluster:
        yield cluster


def test_an_api_server_that_was_away_finds_the_operator_where_it_was(
    own_cluster: Cluster, rendered_chart: str, tmp_path: Path
) -> None:
    own_cluster.add_namespace(NAMESPACE)
    own_cluster.add_gpu_node("gpu", replicas=4)
    with (
        installed(own_cluster, rendered_chart, NAMESPACE, tmp_path) as installation,
        installation.operator("--resync-seconds=2", "--log-level=INFO") as operator,
    ):
        pool = Pool.create(own_cluster, NAMESPACE, small())
        pool.wait_ready("2/2")
        pool.settle(operator)
        children = {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in pool.children()}
        before = resident(operator)

        plane = own_cluster.manager.plane if isinstance(own_cluster.manager, ControlPlaneManager) else None
        assert plane is not None
        began = datetime.now(UTC)
        with plane.outage():
            waiting.wait_for("the operator to miss it", lambda: failures(operator) >= FAILURES, timeout=120)
            assert operator.fetch("health", "/healthz") == "ok"
            assert operator.fetch("health", "/readyz") == "ok", "no other would do better"

        passes = operator.passes()
        waiting.wait_for("passes again", lambda: operator.passes() > passes + 1, timeout=120)
        operator.counted_since = datetime.now(UTC)
        assert operator.writes(began) == [], "it found all as it had left it"
        assert {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in pool.children()} == children

        edited = datetime.now(UTC)
        pool.edit(lambda spec: more_room(spec))
        waiting.wait_for("the edit", lambda: "patch deployments/small-model-1" in operator.writes(edited), timeout=90)
        pool.wait_ready("2/2")
        pool.settle(operator)
        done = [write for write in operator.writes(edited) if not write.endswith("/status")]
        assert sorted(done) == ["patch configmaps/small-routes", "patch deployments/small-model-1"], "once each"
        grown = resident(operator) - before
        print(f"{failures(operator)} requests failed; the operator grew by {grown >> 10} KiB")
        assert grown < GROWTH


def more_room(spec: Object) -> None:
    spec["models"][1]["maxConcurrency"] = 3


def failures(operator: Operator) -> int:
    operator.program.assert_alive()
    lines = operator.fetch("metrics", "/metrics").splitlines()
    counts = [line for line in lines if line.startswith("modelpool_operator_api_errors_total{")]
    return int(sum(float(line.split()[-1]) for line in counts))


def resident(operator: Operator) -> int:
    status = Path(f"/proc/{operator.program.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) << 10
