"""A thousand requests through the gateway's Service, fifty at once."""

from modelpool_under_test.node import load
from modelpool_under_test.node.pool import MODEL, Pool
from modelpool_under_test.node.release import Release


async def test_a_thousand_requests_through_the_service_are_answered(release: Release, pool: Pool) -> None:
    told = await load.many(release.address, MODEL, count=1000, at_once=50)
    assert told.count == 1000
    told.assert_nothing_lost()
