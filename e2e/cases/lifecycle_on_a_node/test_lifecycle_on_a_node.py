"""What happens to one small pool in its life, with real pods: each with the words that its user reads."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from modelpool_cluster import waiting
from modelpool_simulators.quantities import GIB
from modelpool_under_test.node import pool_watch
from modelpool_under_test.node.pool import Pool, manifest, started
from modelpool_under_test.node.pool_watch import Watch
from modelpool_under_test.node.release import NAME, NAMESPACE, Object, Release

FIRST, SECOND = "small:1", "small:2"
CALLERS = 3


def small() -> Object:
    return manifest(Path(__file__).with_name("pool.yaml"))


@pytest.fixture(scope="module")
def running(release: Release) -> Iterator[Pool]:
    """The small pool, all ready. Tests leave it so."""
    pool = started(release.cluster, "small-life", small())
    yield pool
    pool.delete()
    release.cluster.remove_namespace(pool.namespace)


def model(pool: Object, name: str) -> Object:
    return next(one for one in pool["spec"]["models"] if one["name"] == name)


def test_an_engine_that_crashes_again_and_again_leaves_the_card_to_the_others(release: Release, running: Pool) -> None:
    broken, name = small(), "small:broken"
    broken["spec"]["models"].append({**model(broken, FIRST), "name": name, "args": ["--no-such-flag"]})
    kept, watch = running.uids(), Watch(pool=running)
    running.apply(broken)
    message = watch.until_said("Ready=False ArgumentRefused", "--no-such-flag")
    assert message.startswith(f"{name}: ArgumentRefused"), message

    def printed() -> bool:
        """Between two restarts: while the engine starts, that is said."""
        table = pool_watch.table(running)
        assert "2/3" in table, table
        assert "ArgumentRefused" in table, table
        assert "--no-such-flag" in table, table
        return True

    waiting.wait_for("the table to say so", printed)

    def backed_off() -> str:
        (pod,) = running.pods(name)
        waits = pod["status"]["containerStatuses"][0]["state"].get("waiting", {})
        assert waits.get("reason") == "CrashLoopBackOff", pod["status"]["containerStatuses"][0]["state"]
        return str(waits["message"])

    print(waiting.wait_for("the kubelet to back off", backed_off))
    assert running.card(0, 24 * GIB).holders().keys() == {FIRST, SECOND}
    before = running.restarts(FIRST)
    running.kill_engine(FIRST)
    waiting.wait_for("a restart of the neighbour", lambda: running.restarts(FIRST) > before)
    release.wait_for_route(FIRST, "primary")
    release.wait_for_route(SECOND, "primary")
    assert kept < running.uids(), "the neighbours were not touched"

    running.apply(small())
    watch.until("the broken one to go", lambda: not running.pods(name))
    running.wait_until_ready()


def test_a_model_that_nobody_asks_for_ends_and_a_request_starts_it(release: Release, running: Pool) -> None:
    drowsy = small()
    model(drowsy, SECOND)["autoscaling"] = {"maxReplicas": 1, "idleSeconds": 3}
    (neighbour,) = running.pods(FIRST)
    watch = Watch(pool=running)
    running.apply(drowsy)

    def asleep() -> bool:
        assert (running.states()[SECOND], running.pods(SECOND)) == (("Idle", "ScaledToZero"), []), running.states()
        return True

    watch.until("nobody at work", asleep)
    said = f"{SECOND}: ScaledToZero: Scaled to zero: no request for 3 s; the next request starts it"
    watch.until_said("Ready=True ModelsReady", said)
    assert said in pool_watch.table(running)
    with ThreadPoolExecutor(CALLERS) as callers:
        answers = [callers.submit(release.chat, SECOND) for _ in range(CALLERS)]
        watch.until("the answers", lambda: all(answer.done() for answer in answers))
    assert [(one.result().status, one.result().route) for one in answers] == [(200, "primary")] * CALLERS
    print(watch)
    assert f"{SECOND}: " in watch.said("Progressing=True EnginesStarting")
    (same,) = running.pods(FIRST)
    assert same["metadata"]["uid"] == neighbour["metadata"]["uid"]
    running.apply(small())
    running.wait_until_ready()


def test_a_model_is_renamed_and_the_operator_is_reinstalled(release: Release, pool: Pool, running: Pool) -> None:
    rename(release, running)
    kept, changes = pool.uids(), generations(pool)
    release.helm("uninstall", NAME, "--wait", "--timeout=120s")
    try:
        waiting.wait_for("the end of operator and gateway", lambda: not release.cluster.pods(NAMESPACE), every=0.5)
        began = time.monotonic()
        running.delete(timeout=30)
        print(f"`kubectl delete mp` without an operator: {time.monotonic() - began:.1f} s")
        waiting.wait_for("the end of its pods", lambda: not running.cluster.pods(running.namespace))
        assert pool.uids() == kept, "engines run on without an operator"
        running.cluster.add_volume()
        running.apply(small())
    finally:
        release.install()
    running.wait_until_ready()
    pool.wait_until_ready()
    assert (pool.uids(), generations(pool)) == (kept, changes), "what is there is adopted, and nothing is changed"
    for name in (*pool.names, FIRST, SECOND):
        release.wait_for_route(name, "primary")


def rename(release: Release, running: Pool) -> None:
    """Rename a model: the new name is another model's, and its neighbour runs on."""
    renamed, name = small(), "small:renamed"
    model(renamed, SECOND)["name"] = name
    (neighbour,), (old,) = running.pods(FIRST), running.pods(SECOND)
    watch = Watch(pool=running)
    running.apply(renamed)
    watch.until("the new name to be served", lambda: running.states().get(name, ("", ""))[0] == "Ready")
    watch.until("the old one to go", lambda: old["metadata"]["uid"] not in running.uids())
    print(watch)
    assert name in watch.said("Progressing=True EnginesStarting")
    assert name in watch.said("Ready=False ModelsNotReady")
    release.wait_for_route(name, "primary")
    waiting.wait_for("nobody to know the old name", lambda: release.chat(SECOND).status == 404)
    (same,) = running.pods(FIRST)
    assert same["metadata"]["uid"] == neighbour["metadata"]["uid"]


def generations(pool: Pool) -> dict[str, int]:
    """Return how often the spec of each Deployment was changed."""
    found = pool.cluster.api.items(f"/apis/apps/v1/namespaces/{pool.namespace}/deployments")
    return {one["metadata"]["name"]: one["metadata"]["generation"] for one in found}
