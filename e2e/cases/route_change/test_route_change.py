"""Aliases move between models, a model comes and goes, and of fifty requests a second none is lost."""

import asyncio
import time
from typing import Any, Final

from modelpool_cluster import waiting
from modelpool_under_test.node import gateway_traffic
from modelpool_under_test.node.pool import VLLM_MODELS, Pool, manifest
from modelpool_under_test.node.release import Release

ALIAS: Final = "chat"
ADDED: Final = "smollm2:135m"
MOVES: Final = 4
PER_SECOND: Final = 50
FALLBACK_SHARE: Final = 0.02
"""Of the answers, at most: an engine on a busy machine may have more callers than the gateway lets wait for it."""
_ROUTES_SECONDS: Final = 30

Object = dict[str, Any]


async def test_nobody_notices_that_routes_change(release: Release, pool: Pool) -> None:
    first, other = VLLM_MODELS
    before = {pod["metadata"]["uid"] for pod in await asyncio.to_thread(pool.pods)}
    try:
        await _change(release, pool, _with_alias(first))
        async with gateway_traffic.at_rate(release.address, [first, other, ALIAS], per_second=PER_SECOND) as traffic:
            moves = [await _change(release, pool, _with_alias((other, first)[turn % 2])) for turn in range(MOVES)]
            added = [*_with_alias(first), {"name": ADDED, "engine": "ollama"}]
            await _change(release, pool, added)
            await asyncio.to_thread(release.wait_for_route, ADDED, "primary")
            await _change(release, pool, _with_alias(first))
            gone = await asyncio.to_thread(release.chat, ADDED)
    finally:
        await asyncio.to_thread(pool.patch, {"models": manifest()["spec"]["models"]})  # the rest may be another case's
    print(traffic)
    print(f"From the pool's change to the routes in force: {', '.join(f'{seconds:.2f} s' for seconds in moves)}")
    traffic.assert_nothing_lost(per_second=PER_SECOND)
    assert traffic.routes["primary"] >= (1 - FALLBACK_SHARE) * len(traffic.exchanges), str(traffic)
    assert (gone.status, ADDED in str(gone.body)) == (404, True), gone
    await asyncio.to_thread(pool.wait_until_ready)
    assert {pod["metadata"]["uid"] for pod in await asyncio.to_thread(pool.pods)} == before, "routes restart no engine"


def _with_alias(owner: str) -> list[Object]:
    """Return the pool's models, one of them with the alias."""
    models: list[Object] = manifest()["spec"]["models"]
    for model in models:
        if model["name"] == owner:
            model["aliases"] = [*model.get("aliases", ()), ALIAS]
    return models


async def _change(release: Release, pool: Pool, models: list[Object]) -> float:
    """Change the pool's models, and return the seconds until the gateway routes by them."""
    wanted = {model["name"]: sorted(model.get("aliases", ())) for model in models}
    began = time.monotonic()
    await asyncio.to_thread(pool.patch, {"models": models})

    def routed() -> bool:
        pools = release.ask("/modelpool/routes").body["pools"]
        (ours,) = [one["models"] for one in pools if one["pool"] == f"{pool.namespace}/{pool.name}"]
        found = {model["name"]: sorted(model["aliases"]) for model in ours}
        assert found == wanted, found
        return True

    await asyncio.to_thread(waiting.wait_for, "the routes", routed, timeout=_ROUTES_SECONDS, every=0.02)
    return time.monotonic() - began
