"""An engine's image is not to be had: the status says so, and the fallback serves."""

from modelpool_cluster import waiting
from modelpool_under_test.node.pool import MODEL, Pool, manifest
from modelpool_under_test.node.release import Release


def test_a_missing_image_is_named_and_the_fallback_serves(release: Release, pool: Pool) -> None:
    changed = manifest()
    changed["spec"]["vllm"]["image"] = "localhost:1/modelpool/absent:1"
    pool.apply(changed)

    def told() -> bool:
        state, reason = pool.states()[MODEL]
        assert reason in ("ErrImagePull", "ImagePullBackOff"), (state, reason)
        return True

    waiting.wait_for("the image to be missed", told, timeout=120)
    release.wait_for_route(MODEL, "fallback")
    pool.apply(manifest())
    pool.wait_until_ready()
    release.wait_for_route(MODEL, "primary")
