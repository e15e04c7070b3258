"""The operator is killed in the middle of a plan; its successor carries the plan out."""

from modelpool_cluster import waiting
from modelpool_under_test.node.pool import VLLM_MODELS, Pool, manifest
from modelpool_under_test.node.release import NAMESPACE, Release


def test_an_operator_killed_in_the_middle_of_a_plan_finishes_it(release: Release, pool: Pool) -> None:
    changed = manifest()
    changed["spec"]["vllm"]["env"].append({"name": "INTERRUPTED", "value": "yes"})
    pool.apply(changed)
    operators = release.cluster.pods(NAMESPACE, "app.kubernetes.io/component=operator")
    for operator in operators:
        release.cluster.api.delete(
            f"/api/v1/namespaces/{NAMESPACE}/pods/{operator['metadata']['name']}", gracePeriodSeconds="0"
        )

    def finished() -> bool:
        for model in VLLM_MODELS:
            pods = pool.pods(model)
            assert len(pods) == 1, [pod["metadata"]["name"] for pod in pods]
            names = {variable["name"] for variable in pods[0]["spec"]["containers"][0]["env"]}
            assert "INTERRUPTED" in names, f"{model} still runs the old template"
        return True

    waiting.wait_for("the plan to be carried out", finished, timeout=180)
    pool.wait_until_ready()
    pool.assert_started_one_by_one()
