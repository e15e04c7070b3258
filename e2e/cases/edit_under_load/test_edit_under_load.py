"""One model's share of the card is edited under fifty requests a second: all are answered, and only it restarts."""

import asyncio
from typing import Final

import pytest

from modelpool_cluster import waiting
from modelpool_under_test.node import gateway_traffic
from modelpool_under_test.node.pool import MODEL, VLLM_MODELS, Pool, manifest
from modelpool_under_test.node.release import Object, Release

PER_SECOND: Final = 50
FRACTION: Final = 0.4
ROOM: Final = 8
"""Requests that the fallback takes at once: it stands in for a model that is asked twenty-five times a second."""
PENDING: Final = 4096
"""Requests that may wait: a fallback without a card is slower than the engine, whose return the rest waits for."""


@pytest.mark.timeout(420)
async def test_an_edited_share_restarts_one_engine_and_loses_no_request(release: Release, pool: Pool) -> None:
    roomy = manifest()
    roomy["spec"]["ollama"]["numParallel"] = ROOM
    roomy["spec"]["routing"] = {"maxPending": PENDING}
    try:
        await asyncio.to_thread(apply, pool, roomy)
        await edit(release, pool, roomy)
    finally:
        await asyncio.to_thread(apply, pool, manifest())


async def edit(release: Release, pool: Pool, roomy: Object) -> None:
    """Ask while one model's share is edited, and look at what was answered and what was restarted."""
    (old,) = await asyncio.to_thread(pool.pods, MODEL)
    others = {name: await asyncio.to_thread(lives, pool, name) for name in VLLM_MODELS if name != MODEL}

    edited = share(roomy, FRACTION)
    async with gateway_traffic.at_rate(release.address, VLLM_MODELS, per_second=PER_SECOND) as traffic:
        await asyncio.to_thread(pool.apply, edited)
        await asyncio.to_thread(pool.wait_for_another, old)
        await asyncio.to_thread(release.wait_for_route, MODEL, "primary")
        await asyncio.to_thread(pool.wait_until_ready)
    print(traffic)
    traffic.assert_nothing_lost(per_second=PER_SECOND)
    assert traffic.routes.keys() == {"primary", "fallback"}, traffic

    (new,) = await asyncio.to_thread(pool.pods, MODEL)
    args = new["spec"]["containers"][0]["args"]
    assert args[args.index("--gpu-memory-utilization") + 1] == f"{FRACTION:g}"
    assert {name: await asyncio.to_thread(lives, pool, name) for name in others} == others, "the others ran on"


def apply(pool: Pool, wanted: Object) -> None:
    """Apply a pool and wait until all of it runs: without the fallback that takes so much at once there is none."""
    parallel = str(wanted["spec"]["ollama"].get("numParallel", 1))
    pool.apply(wanted)

    def replaced() -> bool:
        found = pool.cluster.pods(pool.namespace, f"modelpool.dev/pool={pool.name},app.kubernetes.io/name=ollama")
        env = [{one["name"]: one.get("value") for one in pod["spec"]["containers"][0]["env"]} for pod in found]
        assert [one["OLLAMA_NUM_PARALLEL"] for one in env] == [parallel], env
        assert all(one["ready"] for pod in found for one in pod["status"].get("containerStatuses", [{"ready": False}]))
        return True

    waiting.wait_for(f"the fallback that takes {parallel} at once", replaced, timeout=180, every=0.5)
    pool.wait_until_ready()


def share(body: Object, fraction: float) -> Object:
    """Return a pool in which the model has another share of its card."""
    models = [
        {**model, "gpuMemoryFraction": fraction} if model["name"] == MODEL else model
        for model in body["spec"]["models"]
    ]
    return {**body, "spec": {**body["spec"], "models": models}}


def lives(pool: Pool, model: str) -> list[tuple[str, int]]:
    """Return a model's pods, each with how often its container was restarted."""
    return [
        (pod["metadata"]["uid"], sum(one["restartCount"] for one in pod["status"]["containerStatuses"]))
        for pod in pool.pods(model)
    ]
