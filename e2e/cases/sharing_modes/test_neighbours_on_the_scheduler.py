"""Two pools on one node of the real scheduler, and pods that are nobody's, in each way of sharing cards.

No card is given twice, every refusal names who holds the card, and who was refused is planned once there is room.
"""

import pytest
from sharing_modes_devices import published
from sharing_modes_world import GIB, GPU, PERCENT, World

from modelpool_cluster.cluster import Cluster
from modelpool_cluster.plugin import GpuNodes
from modelpool_under_test.processes.operator_program import Operator

pytestmark = pytest.mark.cluster

CARD = 24 * GIB


def test_nobody_is_given_what_another_one_holds(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator
) -> None:
    world = World(cluster, namespace, operator)
    shown, asked, sliced = gpu_node(gpus=2), gpu_node(gpus=2), gpu_node(gpus=1, replicas=4)
    whole, claimed, percents = gpu_node(gpus=2), gpu_node(gpus=2), gpu_node(gpus=1, replicas=10)
    world.offer(percents, PERCENT, 100)
    with published(cluster, claimed, count=2, memory="24Gi"):
        visible = {"sharing": "visibleDevices", "count": 2, "runtimeClassName": "nvidia"}
        world.stranger("one-card", asked, **{GPU: "1"})
        world.stranger("replica", sliced, **{GPU: "1"})
        world.stranger("worker", whole, **{GPU: "1"})
        world.stranger("claimant", claimed, claim=world.claim("one-device"))
        world.stranger("slice", percents, **{GPU: "1", PERCENT: "30"})

        world.pool("shown-1", shown, 0.8, **visible)
        world.wait_until_planned("shown-1")
        world.pool("shown-2", shown, 0.8, **visible)
        world.wait_until_planned("shown-2")
        world.pool("shown-3", shown, 0.8, **visible)
        world.pool("beside-a-stranger", asked, 0.8, **visible)
        world.pool("slices-1", sliced, 0.4, sharing="timeSlicing")
        world.pool("slices-2", sliced, 0.4, sharing="timeSlicing", reserve="4Gi")
        world.pool("whole-1", whole, 0.8, sharing="exclusive")
        world.pool("claims-1", claimed, 0.8, sharing="dra")
        world.pool("percents-1", percents, 0.4, sharing="hami")
        for name in ("slices-2", "whole-1", "claims-1", "percents-1"):
            world.wait_until_planned(name)
        world.pool("slices-3", sliced, 0.5, sharing="timeSlicing", reserve="4Gi")
        world.pool("whole-2", whole, 0.8, sharing="exclusive")
        world.pool("claims-2", claimed, 0.8, sharing="dra")
        world.pool("percents-2", percents, 0.4, sharing="hami")

        pools = f"pool {namespace}"
        pods = f"pod {namespace}"
        world.wait_until_refused("shown-3", f"{pools}/shown-1 (shown-1:1)", f"{pools}/shown-2 (shown-2:1)")
        world.wait_until_refused("beside-a-stranger", f"{pods}/one-card (1 {GPU})")
        world.wait_until_refused("slices-1", f"{pods}/replica (1 {GPU})")
        world.wait_until_refused("slices-3", f"{pools}/slices-2 (slices-2:1)")
        world.wait_until_refused("whole-2", f"{pods}/worker (1 {GPU})", f"{pools}/whole-1 (whole-1:1)")
        world.wait_until_refused("claims-2", f"claim {namespace}/one-device", "of pod claimant", f"{pools}/claims-1")
        world.wait_until_refused("percents-2", f"{pods}/slice", f"{pools}/percents-1 (percents-1:1)")
        world.wait_until_ready("shown-1", "shown-2", "slices-2", "whole-1", "claims-1", "percents-1")

        # Each card holds what was planned for it, and nothing else does.
        assert world.held(shown) == {"shown-1 on 0": world.of(0.8), "shown-2 on 1": world.of(0.8)}
        assert world.held(asked) == {}
        assert sum(world.held(sliced).values()) + 4 * GIB <= CARD
        assert world.held(sliced).keys() == {"slices-2 on 0"}
        assert (len(world.held(whole)), len(world.held(claimed))) == (1, 1)
        assert sum(world.held(percents).values()) + CARD * 30 // 100 <= CARD
        assert f"{pods}/replica (1 {GPU}) is on node {sliced} too" in world.message("slices-2")
        outside = f"pools and pods outside of {namespace} are not seen"
        assert all(outside in world.message(name) for name in ("shown-1", "whole-1"))

        # Room that becomes free goes to who waits, without anybody's doing.
        world.end(pool="shown-1")
        world.end(pod="one-card")
        world.end(pod="worker")
        world.wait_until_ready("shown-3", "beside-a-stranger", "whole-2", timeout=30)
        assert world.held(shown).keys() == {"shown-3 on 0", "shown-2 on 1"}
