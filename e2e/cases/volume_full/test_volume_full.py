"""The pool's cache volume is full: the status says so, what runs goes on, and room is all that it needs."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelpool_cluster import waiting
from modelpool_under_test.node.pool import Pool, manifest
from modelpool_under_test.node.release import Release

POOL = manifest(Path(__file__).with_name("pool.yaml"))
FIRST, SECOND = "full:1", "full:2"


@pytest.fixture
def small_volume(release: Release) -> Iterator[Path]:
    """A file system on the node with room for the weights of one model; it and a large volume are offered to claims."""
    cluster = release.cluster
    folder = cluster.folder / "volumes" / "small"
    folder.mkdir(parents=True)
    cluster.run_on_node("mount", "-t", "tmpfs", "-o", "size=12m,mode=0777", "tmpfs", str(folder))
    small = cluster.add_volume("1Gi", folder=folder)
    large = cluster.add_volume()
    yield folder
    cluster.remove_volume(small)
    cluster.remove_volume(large)
    cluster.run_on_node("umount", str(folder))


def test_a_full_volume_is_named_and_the_rest_goes_on(
    small_volume: Path, release: Release, add_pool: Callable[..., Pool]
) -> None:
    pool = add_pool(POOL, volumes=False)
    assert pool.cache_folder() == small_volume
    grown = copy.deepcopy(POOL)
    grown["spec"]["models"].append(
        {**POOL["spec"]["models"][0], "name": SECOND, "source": "hf://RedHatAI/gemma-3-4b-it-quantized.w4a16"}
    )
    pool.apply(grown)

    def named() -> bool:
        model = next((one for one in pool.status()["models"] if one["name"] == SECOND), {"message": "not listed yet"})
        assert "No space left on device" in model["message"], model
        assert (model["state"], model.get("servedBy")) == ("Fallback", "ollama"), model
        return True

    waiting.wait_for("the full volume to be named", named, timeout=120)
    release.wait_for_route(FIRST, "primary")
    release.wait_for_route(SECOND, "fallback")

    before = pool.restarts(FIRST)
    pool.kill_engine(FIRST)
    waiting.wait_for(f"a restart of {FIRST}, whose weights are there", lambda: pool.restarts(FIRST) > before)
    release.wait_for_route(FIRST, "primary")

    release.cluster.run_on_node("mount", "-o", "remount,size=64m", str(small_volume))
    release.wait_for_route(SECOND, "primary", timeout=240)
