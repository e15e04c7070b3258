"""The chart is uninstalled with `crds.keep`, its default: pools and engines stay."""

from modelpool_under_test.node.pool import MODEL, Pool
from modelpool_under_test.node.release import Release


def test_an_uninstalled_chart_keeps_pools_and_engines(release: Release, pool: Pool) -> None:
    """`crds.keep` is the default: who uninstalls the chart loses the gateway, and nothing that he described."""
    before = pool.uids()
    release.helm("uninstall", "modelpool", "--wait", "--timeout=120s")
    assert pool.cluster.api.find(pool.path) is not None
    assert pool.uids() == before
    release.install()
    pool.wait_until_ready()
    assert pool.uids() == before
    release.wait_for_route(MODEL, "primary")
