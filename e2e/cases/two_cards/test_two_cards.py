"""A pool over two cards: each engine is on a card of its own, and needs not wait for the other's."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real_node_pool import Pool, manifest
from real_node_release import Release

from modelpool_engines.quantities import GIB

MANIFEST = manifest(Path(__file__).with_name("pool.yaml"))


@pytest.fixture
def two_cards(release: Release) -> Iterator[None]:
    release.cluster.add_gpu_node(gpus=2, replicas=8, memory_mib=12288)
    yield
    release.cluster.add_gpu_node(gpus=1, replicas=8)


@pytest.mark.usefixtures("two_cards")
def test_each_engine_has_a_card_of_its_own(release: Release, add_pool: Callable[..., Pool]) -> None:
    pool = add_pool(MANIFEST)

    cards = {one["name"]: one["gpu"] for one in pool.status()["models"]}
    assert sorted(cards.values()) == [0, 1], cards
    for model, card in cards.items():
        held = pool.card(card, 12 * GIB).holders()
        assert held.keys() == {model}, f"card {card} is held by {held}"
        assert 0.8 * 12 * GIB < held[model] < 12 * GIB, held
        answer = release.chat(model)
        assert (answer.status, answer.route) == (200, "primary"), answer
