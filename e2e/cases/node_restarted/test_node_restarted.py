"""The node loses its power: every engine starts at once, and those of one card still take their turns.

What would go wrong otherwise is known of the simulated engines, as it is of vLLM: two that measure a card at the same
time charge each other's memory to themselves, and one of them starts with less cache or not at all.
"""

import re
from collections.abc import Callable
from pathlib import Path

from modelpool_cluster import waiting
from modelpool_simulators.quantities import GIB
from modelpool_under_test.node.pool import Pool, manifest
from modelpool_under_test.node.release import Object, Release

FIVE = manifest(Path(__file__).with_name("pool.yaml"))
CACHE = re.compile(r"Available KV cache memory: (\S+) GiB")
REBOOT_SECONDS = 240


def test_a_rebooted_node_brings_all_back_in_order(release: Release, pool: Pool, add_pool: Callable[..., Pool]) -> None:
    five = add_pool(FIVE)
    caches = measured(five)
    assert len(caches) == 5, caches
    restarts = {name: count for one in (five, pool) for name, (count, _) in containers(one).items()}
    assert len(restarts) == 8, restarts

    release.cluster.reboot()

    def started_again() -> bool:  # the pods' own word: for some seconds a pool's status is still the old one
        now = containers(five) | containers(pool)
        assert all(now.get(name, (0, False))[0] > count for name, count in restarts.items()), (restarts, now)
        assert all(ready for _, ready in now.values()), now
        return True

    waiting.wait_for("every container to be ready again", started_again, timeout=REBOOT_SECONDS, every=0.5)
    for one in (five, pool):
        one.wait_until_ready()
        one.assert_started_one_by_one()
    assert {name: count for name, (count, _) in containers(five).items()} == {
        name: restarts[name] + 1 for name in containers(five)
    }, "an engine failed and was started again"
    assert measured(five) == caches, "an engine measured memory that was another's"
    held = five.card(0, 24 * GIB).holders()
    assert held.keys() == set(five.vllm_models), held
    assert sum(held.values()) < 24 * GIB, held
    waited = [log for log in (five.log(model) for model in five.vllm_models) if "Waiting for card 0" in log]
    assert len(waited) >= 3, "they did not start at once, so nothing was proved"
    for model in (*five.vllm_models, *pool.names):
        release.wait_for_route(model, "primary")


def measured(pool: Pool) -> dict[str, str]:
    """Return the cache that each engine found room for when it last started, in GiB."""
    return {model: CACHE.findall(pool.log(model))[-1] for model in pool.vllm_models}


def containers(pool: Pool) -> dict[str, tuple[int, bool]]:
    """Return how often each pod's container was restarted, and whether it is ready."""
    found = {}
    for pod in pool.pods():
        statuses: list[Object] = pod["status"].get("containerStatuses") or [{"restartCount": 0, "ready": False}]
        found[pod["metadata"]["name"]] = (statuses[0]["restartCount"], statuses[0]["ready"])
    return found
