"""Engines are replaced while they are asked."""

import asyncio

import real_node_load as load
from real_node_pool import MODEL, Pool, manifest
from real_node_release import Release


async def test_engines_are_replaced_under_load(release: Release, pool: Pool) -> None:
    (old,) = await asyncio.to_thread(pool.pods, MODEL)
    changed = manifest()
    changed["spec"]["vllm"]["env"].append({"name": "UPGRADED", "value": "yes"})
    async with load.under_load(release.address, MODEL) as told:
        await asyncio.to_thread(pool.apply, changed)
        await asyncio.to_thread(pool.wait_for_another, old)
        await asyncio.to_thread(release.wait_for_route, MODEL, "primary")
    told.assert_nothing_lost()
    assert told.routes >= {"primary", "fallback"}, told
    await asyncio.to_thread(pool.wait_until_ready)
    pool.assert_started_one_by_one()
