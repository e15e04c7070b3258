"""Engines are replaced while they are asked: the fallback answers meanwhile, and streams under way end well."""

import asyncio
from typing import Final

from modelpool_under_test.node import gateway_traffic
from modelpool_under_test.node.pool import MODEL, Pool, manifest
from modelpool_under_test.node.release import Release

CALLERS: Final = 6
"""Each asks again as soon as it is answered: one Ollama on a CPU takes no hundred requests a second."""
STREAMERS: Final = 2
"""Each streams without a gap, so that the old engine has streams whenever it is told to end."""
LEAST_PER_SECOND: Final = 2
"""Requests in all: enough for the case, and what an Ollama on a busy machine answers meanwhile."""


async def test_streams_outlive_the_engine_that_they_began_at(release: Release, pool: Pool) -> None:
    (old,) = await asyncio.to_thread(pool.pods, MODEL)
    changed = manifest()
    changed["spec"]["vllm"]["env"].append({"name": "UPGRADED", "value": "again"})
    async with (
        gateway_traffic.without_pause(release.address, [MODEL], callers=CALLERS, streamers=STREAMERS) as traffic,
        asyncio.TaskGroup() as tasks,
    ):
        leaves = tasks.create_task(
            asyncio.to_thread(gateway_traffic.told_to_end, release.cluster, old), name="the old engine"
        )
        await asyncio.to_thread(pool.apply, changed)
        await leaves
        await asyncio.to_thread(pool.wait_for_another, old)
        await asyncio.to_thread(release.wait_for_route, MODEL, "primary")
    across = traffic.streams_across(leaves.result())
    print(f"{traffic}; {across} streams were under way when the old engine was told to end")
    traffic.assert_nothing_lost(per_second=LEAST_PER_SECOND)
    assert set(traffic.routes) >= {"primary", "fallback"}, traffic
    assert across > 0, traffic
    await asyncio.to_thread(pool.wait_until_ready)
    pool.assert_started_one_by_one()
