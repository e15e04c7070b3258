"""The chart is upgraded; engines are not its business."""

from modelpool_under_test.node.pool import MODEL, Pool
from modelpool_under_test.node.release import Release


def test_the_chart_is_upgraded_without_touching_engines(release: Release, pool: Pool) -> None:
    before = pool.uids()
    release.install(logLevel="debug")
    pool.wait_until_ready()
    assert pool.uids() == before
    assert release.chat(MODEL).route == "primary"
