"""The gateway is replaced while it is asked."""

import asyncio

import real_node_load as load
from real_node_pool import MODEL, Pool
from real_node_release import GATEWAY, NAMESPACE, Release


async def test_a_new_gateway_takes_over_under_load(release: Release, pool: Pool) -> None:
    kubectl = release.cluster.kubectl
    async with load.under_load(release.address, MODEL) as told:
        await asyncio.to_thread(kubectl, "rollout", "restart", f"--namespace={NAMESPACE}", f"deployment/{GATEWAY}")
        await asyncio.to_thread(
            lambda: kubectl(
                "rollout", "status", f"--namespace={NAMESPACE}", f"deployment/{GATEWAY}", "--timeout=120s", timeout=130
            )
        )
    assert told.count > 10, told
    told.assert_nothing_lost()
