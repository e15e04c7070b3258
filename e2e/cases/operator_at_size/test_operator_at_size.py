"""In short what `make bench-operator` measures: some pools come up with a bounded number of writes, and then none."""

import pytest

from modelpool_cluster.cluster import Cluster
from modelpool_under_test.processes.fleet import MODELS, WRITES, Fleet, measured
from modelpool_under_test.processes.installation import Installation

pytestmark = pytest.mark.cluster

POOLS = 8
CHILDREN = 2 + 2 + MODELS + MODELS + 1 + 2
"""Volumes, ConfigMaps, Services and Deployments of three engines and of Ollama, the pull, the NetworkPolicy, a key."""
STATUSES = 8
"""Of a pool on its way: each tells something new. On an idle machine it is three."""


@pytest.mark.timeout(300)
def test_pools_at_rest_cost_no_write_and_on_their_way_few(
    cluster: Cluster, installation: Installation, namespace: str
) -> None:
    fleet = Fleet(cluster=cluster, namespaces=(namespace,), count=POOLS)
    fleet.furnish()
    try:
        with installation.operator("--resync-seconds=2", *installation.told) as operator:
            fleet.create()
            fleet.wait_until_steady(operator, timeout=200)
            written = [
                f"{one.resource}/{one.subresource}"
                for one in cluster.audit_events(user=operator.user, verbs=WRITES)
                if one.resource != "leases"
            ]
            result = measured(operator, seconds=5)
        print(result)
        statuses = written.count("modelpools/status")
        assert len(written) - statuses == POOLS * CHILDREN + 1, "each child is applied once, and one release key made"
        assert statuses <= POOLS * STATUSES
        assert result["passes_at_rest"] >= POOLS, "the resync has come by every pool"
        assert result["writes_per_minute_at_rest"] == 0
    finally:
        fleet.clear()
