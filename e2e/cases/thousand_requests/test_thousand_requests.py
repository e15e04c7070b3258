"""A thousand requests through the gateway's Service, fifty at once."""

import real_node_load as load
from real_node_pool import MODEL, Pool
from real_node_release import Release


async def test_a_thousand_requests_through_the_service_are_answered(release: Release, pool: Pool) -> None:
    told = await load.many(release.address, MODEL, count=1000, at_once=50)
    assert told.count == 1000
    told.assert_nothing_lost()
