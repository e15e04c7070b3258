"""The node loses its power: all engines start at once, and each waits for its card."""

from real_node_pool import OLLAMA_MODEL, VLLM_MODELS, Pool
from real_node_release import Object, Release

from modelpool_cluster import waiting


def test_a_rebooted_node_brings_all_back_in_order(release: Release, pool: Pool) -> None:
    before = {pod["metadata"]["name"]: _running_since(pod) for pod in pool.pods()}
    assert len(before) == 3, before
    pool.cluster.reboot()

    def started_again() -> bool:  # the pods' own word: for some seconds the pool's status is still the old one
        now = {pod["metadata"]["name"]: _running_since(pod) for pod in pool.pods()}
        assert all(now.get(name, "") > then for name, then in before.items()), (before, now)
        return True

    waiting.wait_for("every container to be ready again", started_again, timeout=180, every=0.5)
    pool.wait_until_ready()
    pool.assert_started_one_by_one()
    for model in (*VLLM_MODELS, OLLAMA_MODEL):
        release.wait_for_route(model, "primary")


def _running_since(pod: Object) -> str:
    """Return since when a pod's container has been running and is ready; empty while it is not."""
    (status,) = pod["status"].get("containerStatuses") or [{"ready": False, "state": {}}]
    return str(status["state"].get("running", {}).get("startedAt", "")) if status["ready"] else ""
