"""A pool moves to another node by its selector; that node falls silent, and comes back."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelpool_cluster.node.second import SecondNode
from modelpool_under_test.images import Images
from modelpool_under_test.node import pool_watch
from modelpool_under_test.node.pool import Pool, manifest
from modelpool_under_test.node.pool_watch import Watch
from modelpool_under_test.node.release import Release

MODELS = ("small:1", "small:2")


@pytest.fixture
def second(release: Release, node_images: Images) -> Iterator[SecondNode]:
    """Another real node, with a card and the engines' image."""
    with release.cluster.second_node(node_images.archive("engines")) as found:
        found.give_cards(replicas=4)
        yield found


def test_a_pool_moves_and_its_node_is_lost_and_found(
    release: Release, second: SecondNode, add_pool: Callable[..., Pool]
) -> None:
    body = manifest(Path(__file__).with_name("pool.yaml"))
    body["spec"]["nodeSelector"] = {"kubernetes.io/hostname": release.cluster.node}
    pool = add_pool(body)
    left = pool.uids()
    watch = Watch(pool=pool)

    pool.patch({"nodeSelector": {"kubernetes.io/hostname": second.name}})

    def moved() -> bool:
        found = {pod["metadata"]["uid"]: pod["spec"].get("nodeName") for pod in pool.pods()}
        assert (set(found.values()), len(found)) == ({second.name}, len(MODELS)), found
        assert left.isdisjoint(found)
        return True

    watch.until("all engines on the other node", moved)
    watch.until_said("Ready=True ModelsReady")
    assert watch.said("Ready=False ModelsNotReady"), str(watch)
    assert not watch.said("Ready=False Unschedulable"), str(watch)
    for model in MODELS:
        release.wait_for_route(model, "primary")
    pool.assert_started_one_by_one()

    arrived = pool.uids()
    second.cut_power()
    words = f"Node {second.name} does not report any more"
    for model in MODELS:
        watch.until_said("Ready=False NodeLost", f"{model}: NodeLost: {words}")
    printed = pool_watch.table(pool)
    assert "NodeLost" in printed
    assert words in printed
    answer = release.chat(MODELS[0])
    print(answer)
    assert answer.status == 503, answer

    second.boot()
    watch.until_said("Ready=True ModelsReady")
    for model in MODELS:
        release.wait_for_route(model, "primary")
    assert pool.uids() == arrived, "they were started again where they were"
    print(watch)
