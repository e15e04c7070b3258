"""The gateway is replaced while it is asked: every answer comes, and streams under way end well."""

import asyncio
from typing import Final

from modelpool_under_test.node import gateway_traffic
from modelpool_under_test.node.pool import VLLM_MODELS, Pool
from modelpool_under_test.node.release import GATEWAY, NAMESPACE, Release

PER_SECOND: Final = 50


async def test_streams_outlive_the_gateway_that_they_began_at(release: Release, pool: Pool) -> None:
    kubectl, flags = release.cluster.kubectl, (f"--namespace={NAMESPACE}", f"deployment/{GATEWAY}")
    found = await asyncio.to_thread(release.cluster.pods, NAMESPACE, "app.kubernetes.io/component=gateway")
    (old,) = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
    async with (
        gateway_traffic.at_rate(release.address, VLLM_MODELS, per_second=PER_SECOND) as traffic,
        asyncio.TaskGroup() as tasks,
    ):
        leaves = tasks.create_task(
            asyncio.to_thread(gateway_traffic.told_to_end, release.cluster, old), name="the old gateway"
        )
        await asyncio.to_thread(kubectl, "rollout", "restart", *flags)
        await asyncio.to_thread(lambda: kubectl("rollout", "status", *flags, "--timeout=120s", timeout=130))
        await leaves
    across = traffic.streams_across(leaves.result())
    print(f"{traffic}; {across} streams were under way when the old gateway was told to end")
    traffic.assert_nothing_lost(per_second=PER_SECOND)
    assert across > 0, traffic
