"""The API server is killed and comes back: operator and gateway stay up, miss nothing, and do nothing twice.

A control plane of its own for each, since no other test should meet an API server that is away.
"""

import contextlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelpool_cluster import waiting
from modelpool_cluster.binaries import Binaries
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.controlplane.running import ControlPlane
from modelpool_cluster.managers import ControlPlaneManager
from modelpool_cluster.rest import MERGE
from modelpool_cluster.settings import Provider, current
from modelpool_under_test.processes import route_documents
from modelpool_under_test.processes.gateway_program import Gateway, running
from modelpool_under_test.processes.host_address import host_address
from modelpool_under_test.processes.installation import installed
from modelpool_under_test.processes.operator_program import Operator
from modelpool_under_test.processes.pools import Object, Pool, small
from modelpool_under_test.processes.programs import started

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

NAMESPACE = "llm"
FAILURES = 6
"""Requests of the operator that fail before the API server comes back: its passes, again and again."""
COMPLAINTS = 8
"""Attempts of the gateway to follow the cluster that fail before the API server comes back."""
GROWTH = 12 << 20
"""Bytes by which a program may grow: nothing may pile up while nobody listens."""
MODEL = "qwen3:8b"


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
        before = resident(operator.program.process.pid)

        began = datetime.now(UTC)
        with plane_of(own_cluster).outage():
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
        grown = resident(operator.program.process.pid) - before
        print(f"{failures(operator)} requests failed; the operator grew by {grown >> 10} KiB")
        assert grown < GROWTH


def test_the_gateway_serves_from_its_last_routes_and_then_follows_again(
    own_cluster: Cluster, rendered_chart: str, tmp_path: Path
) -> None:
    own_cluster.add_namespace(NAMESPACE)
    path = f"{route_documents.config_maps(NAMESPACE)}/{route_documents.MAP}"
    with (
        engine(tmp_path) as (address, port),
        installed(own_cluster, rendered_chart, NAMESPACE, tmp_path) as installation,
        running(installation) as gateway,
    ):
        slices = route_documents.slices(NAMESPACE)
        own_cluster.api.create(slices, route_documents.endpoint_slice("by-hand", address, port))
        route_documents.written(own_cluster, NAMESPACE, models("first"))
        waiting.wait_for("the routes", lambda: aliases(gateway) == ["first"])
        before, answered = resident(gateway.program.process.pid), 0

        def missed() -> bool:
            nonlocal answered
            assert gateway.chat(MODEL) == 200
            answered += 1
            return complaints(gateway) >= COMPLAINTS

        with plane_of(own_cluster).outage():
            waiting.wait_for("the gateway to miss the API server", missed, timeout=120)
            assert aliases(gateway) == ["first"]
            assert (gateway.status("/healthz"), gateway.status("/readyz")) == (200, 200), "no other would do better"

        own_cluster.api.patch(path, {"data": route_documents.data(NAMESPACE, models("second"))}, MERGE)
        waiting.wait_for("the new routes", lambda: aliases(gateway) == ["second"], timeout=120)
        assert gateway.chat("second") == 200
        grown = resident(gateway.program.process.pid) - before
        print(f"{answered} requests answered while the API server was away; the gateway grew by {grown >> 10} KiB")
        assert grown < GROWTH


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[tuple[str, int]]:
    """Run a simulated engine, and give its address and port once it serves."""
    host = host_address()
    told = ("serve", "org/weights", f"--served-model-name={MODEL}", f"--host={host}", "--port=0")
    with started("modelpool_simulators.vllm", *told, log=folder / "engine.log") as program:

        def serving() -> int:
            program.assert_alive()
            found = re.search(r"Starting vLLM API server on http://\S+:(\d+)", program.log.read_text())
            return int(found[1]) if found else 0

        yield host, waiting.wait_for("the engine", serving, timeout=60)


def models(alias: str) -> list[Object]:
    """Return what leads to an engine outside of the cluster, by a Service that has an address by hand."""
    backend = {"engine": "vllm", "service": "by-hand", "port": 8000, "model": MODEL}
    return [{"name": MODEL, "aliases": [alias], "backends": [backend]}]


def aliases(gateway: Gateway) -> list[str]:
    return list(gateway.models().get(MODEL, {}).get("aliases", ()))


def complaints(gateway: Gateway) -> int:
    gateway.program.assert_alive()
    return sum(line.get("message") == "Could not follow the API server" for line in gateway.program.lines())


def more_room(spec: Object) -> None:
    spec["models"][1]["maxConcurrency"] = 3


def failures(operator: Operator) -> int:
    operator.program.assert_alive()
    lines = operator.fetch("metrics", "/metrics").splitlines()
    counts = [line for line in lines if line.startswith("modelpool_operator_api_errors_total{")]
    return int(sum(float(line.split()[-1]) for line in counts))


def plane_of(cluster: Cluster) -> ControlPlane:
    assert isinstance(cluster.manager, ControlPlaneManager)
    assert cluster.manager.plane is not None
    return cluster.manager.plane


def resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) << 10
