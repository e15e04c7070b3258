"""An operator that finds everything as it should be writes nothing, and one that finds half of it makes the rest."""

from datetime import UTC, datetime

import pytest

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.plugin import GpuNodes
from modelpool_operator.cluster import kinds
from modelpool_under_test.processes.installation import Installation
from modelpool_under_test.processes.pools import Pool, example

pytestmark = pytest.mark.cluster


def test_a_second_pass_and_a_restart_write_nothing(
    cluster: Cluster, gpu_node: GpuNodes, installation: Installation, namespace: str
) -> None:
    gpu_node(gpus=2, replicas=4)
    with installation.operator() as operator:
        pool = Pool.create(cluster, namespace, example("consolidated"))
        pool.wait_ready("2/2")
        pool.settle(operator)
        versions = {child["metadata"]["name"]: child["metadata"]["resourceVersion"] for child in pool.children()}
        for _ in range(3):
            began = pool.pass_over(operator)
            assert operator.writes(began) == []

    restarted = datetime.now(UTC)
    with installation.operator() as operator:
        waiting.wait_for("a pass of the new operator", lambda: operator.passes() >= 1)
        pool.pass_over(operator)
        assert operator.writes(restarted) == []
    assert {child["metadata"]["name"]: child["metadata"]["resourceVersion"] for child in pool.children()} == versions


def test_the_operator_asks_for_no_more_than_it_needs(
    cluster: Cluster, gpu_node: GpuNodes, installation: Installation, namespace: str
) -> None:
    """A pass asks for its pool; children, pods and nodes are watched. Nothing of other namespaces, no Secret."""
    gpu_node(replicas=4)
    body = example("consolidated")
    del body["spec"]["gpus"]["memory"]
    with installation.operator() as operator:
        pool = Pool.create(cluster, namespace, body)
        pool.wait_ready("2/2")
        pool.settle(operator)
        began = pool.pass_over(operator)
        pool.settle(operator)
        passed = [(one.verb, one.resource) for one in operator.requests(began) if one.verb != "watch"]
    assert passed == [("get", "modelpools")]
    watched = {one.resource for one in operator.requests() if one.verb == "watch"}
    assert watched == {
        kind.plural for kind in (kinds.POOLS, kinds.PODS, kinds.NODES, kinds.ENDPOINT_SLICES, *kinds.CHILDREN)
    }
    foreign = {
        (one.verb, one.resource)
        for one in operator.requests()
        if one.resource and one.namespace != namespace and not one.uri.startswith("/api/v1/nodes")
    }
    assert foreign == set()
    print("Used:", sorted({(one.group, one.resource, one.subresource, one.verb) for one in operator.requests()}))


def test_what_a_killed_operator_left_half_done_the_next_one_finishes(
    cluster: Cluster, gpu_node: GpuNodes, installation: Installation, namespace: str
) -> None:
    gpu_node(gpus=2, replicas=4)
    with installation.operator() as operator:
        pool = Pool.create(cluster, namespace, example("consolidated"))
        waiting.wait_for("the first object", lambda: pool.names(["PersistentVolumeClaim"]), every=0.001)
        operator.program.kill()
    made = pool.names()
    with installation.operator() as operator:
        pool.wait_ready("2/2")
        pool.settle(operator)
    print(f"killed after {len(made)} of {len(pool.names())} objects")
    assert made < pool.names()
