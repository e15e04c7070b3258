"""A plan that does not fit is refused by name, and touches nothing that runs."""

from modelpool_cluster import waiting
from modelpool_under_test.node.pool import MODEL, Pool, manifest
from modelpool_under_test.node.release import Object


def test_a_plan_that_does_not_fit_touches_nothing(pool: Pool) -> None:
    before = pool.uids()
    models: list[Object] = manifest()["spec"]["models"]
    for model in models:
        if model["name"] == MODEL:
            model["weights"] = "40Gi"
    pool.patch({"models": models})

    def refused() -> bool:
        planned = pool.condition("Planned")
        assert planned.get("status") == "False", planned
        assert MODEL in planned["message"], planned
        return True

    waiting.wait_for("the refusal", refused)
    assert pool.uids() == before
    pool.apply(manifest())
    waiting.wait_for("the plan", lambda: pool.condition("Planned").get("status") == "True")
    pool.wait_until_ready()
    assert pool.uids() == before
