"""Somebody deletes an engine's pod while it is asked."""

import asyncio

import real_node_load as load
from real_node_pool import MODEL, Pool
from real_node_release import Release


async def test_a_deleted_pod_is_missed_by_nobody(release: Release, pool: Pool) -> None:
    (gone,) = await asyncio.to_thread(pool.pods, MODEL)
    async with load.under_load(release.address, MODEL) as told:
        await asyncio.to_thread(pool.delete_pod, gone)
        await asyncio.to_thread(pool.wait_for_another, gone)
        await asyncio.to_thread(release.wait_for_route, MODEL, "primary")
    told.assert_nothing_lost()
    assert told.routes >= {"primary", "fallback"}, told
    await asyncio.to_thread(pool.wait_until_ready)
