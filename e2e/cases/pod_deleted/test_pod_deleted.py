"""Somebody deletes an engine's pod while it is asked."""

import asyncio

from modelpool_under_test.node import load
from modelpool_under_test.node.pool import MODEL, Pool
from modelpool_under_test.node.release import Release


async def test_a_deleted_pod_is_missed_by_nobody(release: Release, pool: Pool) -> None:
    (gone,) = await asyncio.to_thread(pool.pods, MODEL)
    async with load.under_load(release.address, MODEL) as told:
        await asyncio.to_thread(pool.delete_pod, gone)
        await asyncio.to_thread(pool.wait_for_another, gone)
        await asyncio.to_thread(release.wait_for_route, MODEL, "primary")
    told.assert_nothing_lost()
    assert told.routes >= {"primary", "fallback"}, told
    await asyncio.to_thread(pool.wait_until_ready)
