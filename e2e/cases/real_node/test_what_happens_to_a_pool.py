"""What befalls a pool on a real node, one mishap after the other; each case leaves it ready again."""

import asyncio

import real_node_load as load
from real_node_pool import POOL, VLLM_MODELS, Pool, manifest
from real_node_release import GATEWAY, NAMESPACE, Object, Release

from modelpool_cluster import waiting

MODEL = "qwen3:8b"


async def test_a_thousand_requests_through_the_service_are_answered(release: Release, pool: Pool) -> None:
    told = await load.many(await asyncio.to_thread(_address, release), MODEL, count=1000, at_once=50)
    assert told.count == 1000
    told.assert_nothing_lost()


def test_a_plan_that_does_not_fit_touches_nothing(pool: Pool) -> None:
    before = _uids(pool)
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
    assert _uids(pool) == before
    pool.apply(manifest())
    waiting.wait_for("the plan", lambda: pool.condition("Planned").get("status") == "True")
    pool.wait_until_ready()
    assert _uids(pool) == before


async def test_a_deleted_pod_is_missed_by_nobody(release: Release, pool: Pool) -> None:
    (gone,) = await asyncio.to_thread(pool.pods, MODEL)
    async with load.under_load(_address(release), MODEL) as told:
        await asyncio.to_thread(_delete_pod, pool, gone)
        await asyncio.to_thread(_wait_for_another, pool, gone)
        await asyncio.to_thread(release.wait_for_route, MODEL, "primary")
    told.assert_nothing_lost()
    assert told.routes >= {"primary", "fallback"}, told
    await asyncio.to_thread(pool.wait_until_ready)


async def test_a_new_gateway_takes_over_under_load(release: Release, pool: Pool) -> None:
    kubectl = release.cluster.kubectl
    async with load.under_load(_address(release), MODEL) as told:
        await asyncio.to_thread(kubectl, "rollout", "restart", f"--namespace={NAMESPACE}", f"deployment/{GATEWAY}")
        await asyncio.to_thread(
            lambda: kubectl(
                "rollout", "status", f"--namespace={NAMESPACE}", f"deployment/{GATEWAY}", "--timeout=120s", timeout=130
            )
        )
    assert told.count > 10, told
    told.assert_nothing_lost()


async def test_engines_are_replaced_under_load(release: Release, pool: Pool) -> None:
    (old,) = await asyncio.to_thread(pool.pods, MODEL)
    changed = manifest()
    changed["spec"]["vllm"]["env"].append({"name": "UPGRADED", "value": "yes"})
    async with load.under_load(_address(release), MODEL) as told:
        await asyncio.to_thread(pool.apply, changed)
        await asyncio.to_thread(_wait_for_another, pool, old)
        await asyncio.to_thread(release.wait_for_route, MODEL, "primary")
    told.assert_nothing_lost()
    assert told.routes >= {"primary", "fallback"}, told
    await asyncio.to_thread(pool.wait_until_ready)
    pool.assert_started_one_by_one()


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


def test_the_chart_is_upgraded_without_touching_engines(release: Release, pool: Pool) -> None:
    before = _uids(pool)
    release.install(logLevel="debug")
    pool.wait_until_ready()
    assert _uids(pool) == before
    assert release.chat(MODEL).route == "primary"


def test_an_uninstalled_chart_keeps_pools_and_engines(release: Release, pool: Pool) -> None:
    """`crds.keep` is the default: who uninstalls the chart loses the gateway, and nothing that he described."""
    before = _uids(pool)
    release.helm("uninstall", "modelpool", "--wait", "--timeout=120s")
    assert pool.cluster.api.find(pool.path) is not None
    assert _uids(pool) == before
    release.install()
    pool.wait_until_ready()
    assert _uids(pool) == before
    release.wait_for_route(MODEL, "primary")


def test_a_deleted_pool_takes_everything_with_it(release: Release, pool: Pool) -> None:
    api = pool.cluster.api
    pool.cluster.kubectl("delete", f"--namespace={pool.namespace}", f"modelpool/{POOL}", "--timeout=60s")

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


def _address(release: Release) -> str:
    return release.address


def _uids(pool: Pool) -> set[str]:
    return {pod["metadata"]["uid"] for pod in pool.pods()}


def _delete_pod(pool: Pool, pod: Object) -> None:
    pool.cluster.api.delete(f"/api/v1/namespaces/{pool.namespace}/pods/{pod['metadata']['name']}")


def _wait_for_another(pool: Pool, old: Object) -> None:
    def another() -> bool:
        pods = pool.pods(MODEL)
        assert len(pods) == 1, [pod["metadata"]["name"] for pod in pods]
        assert pods[0]["metadata"]["uid"] != old["metadata"]["uid"], "the old pod is still there"
        return True

    waiting.wait_for("another pod", another, timeout=180, every=0.5)
