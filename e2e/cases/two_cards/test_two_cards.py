"""A pool over two cards: each engine is on a card of its own, and one that is gone finds its room again.

It is the repository's example, on simulated cards and under names that no other pool of the node has. Ollama's volume
is that of the weights, so that its server and the engines share the accounts of the cards.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from modelpool_cluster import waiting
from modelpool_simulators.quantities import GIB
from modelpool_under_test.node import load
from modelpool_under_test.node.pool import Pool, manifest
from modelpool_under_test.node.release import ROOT, Object, Release

CARD: Final = 12 * GIB
GEMMA, QWEN, COGITO = "gemma3:4b-on-two", "qwen3:8b-on-two", "cogito:8b-on-two"
CARDS: Final = "simulated-cards"


def example() -> Object:
    """The example as this node can run it."""
    pool = manifest(ROOT / "examples" / "two-gpu-12gb.yaml")
    spec = pool["spec"]
    for model in spec["models"]:
        own = model["name"]
        model["name"] = f"{own}-on-two"
        model["aliases"] = [f"{alias}-on-two" for alias in model.get("aliases", ())]
        if model["engine"] == "vllm":
            model["fallback"] = {"model": own}
        else:
            model.setdefault("source", f"ollama://{own}")
    memory = {"name": "MODELPOOL_SIMULATED_CARD_MEMORY", "value": "12Gi"}
    spec["cache"] = {"size": "1Gi"}
    spec["vllm"]["env"] = [{"name": "MODELPOOL_SIMULATED_CARDS", "value": f"/cache/{CARDS}"}, memory]
    server = spec["ollama"]
    del server["resources"]
    server["storage"] = {"existingClaim": f"{pool['metadata']['name']}-cache"}
    server["env"] = [
        {"name": "MODELPOOL_SIMULATED_CARDS", "value": f"/models/{CARDS}"},
        memory,
        {"name": "FAKE_OLLAMA_LOAD_SECONDS", "value": "0.2"},
        {"name": "FAKE_OLLAMA_PULL_SECONDS", "value": "0.1"},
    ]
    return pool


@pytest.fixture
def two_cards(release: Release) -> Iterator[None]:
    release.cluster.add_gpu_node(gpus=2, replicas=8, memory_mib=12288)
    yield
    release.cluster.add_gpu_node(gpus=1, replicas=8)


@pytest.mark.usefixtures("two_cards")
async def test_each_engine_has_a_card_of_its_own_and_finds_it_again(
    release: Release, add_pool: Callable[..., Pool]
) -> None:
    pool = await asyncio.to_thread(add_pool, example())
    await asyncio.to_thread(_each_has_its_card, release, pool)

    (gone,) = await asyncio.to_thread(pool.pods, GEMMA)
    async with load.under_load(release.address, GEMMA) as told:
        # Its successor waits until the stand-in is loaded, and callers keep it in memory from then on.
        with pool.holding_card(0, "this test"):
            await asyncio.to_thread(pool.delete_pod, gone)
            await asyncio.to_thread(_wait_until_gone, pool, told)
            assert (await asyncio.to_thread(release.chat, COGITO)).status == 200
            held = pool.card(0, CARD).holders()
            assert held.keys() == {"ollama cogito:8b"}, f"the room of the engine is taken: {held}"
        await asyncio.to_thread(release.wait_for_route, GEMMA, "primary")
    told.assert_nothing_lost()
    assert pool.restarts(GEMMA) == 0, "it found no room at first"
    held = pool.card(0, CARD).holders()
    assert held.keys() == {GEMMA, "ollama cogito:8b"}, held


def _wait_until_gone(pool: Pool, told: load.Told) -> None:
    """Wait until the engine on card 0 has given back its memory and somebody stands in for it."""

    def look() -> bool:
        held = pool.card(0, CARD).holders()
        assert GEMMA not in held, held
        assert "fallback" in told.routes, told
        return True

    waiting.wait_for("an engine that is gone, and its stand-in", look, timeout=60)


def _each_has_its_card(release: Release, pool: Pool) -> None:
    cards = {one["name"]: one["gpu"] for one in pool.status()["models"] if "gpu" in one}
    assert cards == {GEMMA: 0, QWEN: 1}
    for model, share in ((GEMMA, 0.44), (QWEN, 0.85)):
        held = pool.card(cards[model], CARD).holders()
        assert held.keys() == {model}, f"card {cards[model]} is held by {held}"
        assert share * CARD <= held[model] < (share + 0.05) * CARD, held
        answer = release.chat(model)
        assert (answer.status, answer.route) == (200, "primary"), answer
    # A model that is Ollama's by declaration has Ollama's share of the card.
    assert release.chat(COGITO).status == 200
    held = pool.card(0, CARD).holders()
    assert held.keys() == {GEMMA, "ollama cogito:8b"}, held
