"""A pool is deleted, and comes back."""

from modelpool_cluster import waiting
from modelpool_under_test.node.pool import MODEL, POOL, Pool, manifest
from modelpool_under_test.node.release import Release


def test_a_deleted_pool_takes_everything_with_it(release: Release, pool: Pool) -> None:
    api = pool.cluster.api
    pool.delete()

    def gone() -> bool:
        left = [pod["metadata"]["name"] for pod in pool.cluster.pods(pool.namespace)]
        left += [
            one["metadata"]["name"]
            for kind in ("services", "configmaps", "persistentvolumeclaims")
            for one in api.items(
                f"/api/v1/namespaces/{pool.namespace}/{kind}", labelSelector=f"modelpool.dev/pool={POOL}"
            )
        ]
        assert not left, left
        return True

    waiting.wait_for("the pool's children to go", gone, timeout=120)
    assert release.chat(MODEL).status == 404
    for _ in range(2):
        pool.cluster.add_volume()
    pool.apply(manifest())
    pool.wait_until_ready()
    release.wait_for_route(MODEL, "primary")
