"""Everybody else who writes: fights are damped and named, admission is no fight, and one pool's trouble is its own."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from other_actors_admission import HANGS, Webhook, webhooks
from other_actors_stage import Acting, acting, engine_of, model_of, writes_of
from other_actors_table import ROWS, Row, problems_with_events

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.rest import MERGE
from modelpool_under_test.processes.installation import Installation, installed, rendered
from modelpool_under_test.processes.operator_program import Operator
from modelpool_under_test.processes.pools import Object, Pool, small

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(420)]

MINUTE: Final = timedelta(seconds=60)
HANGING: Final = 10
"""Pools behind a webhook that hangs, more than the operator has workers."""
SOON: Final = 5.0
"""Seconds in which another pool has its Deployment meanwhile."""


@dataclass(slots=True, kw_only=True)
class World:
    """A control plane with an operator for all namespaces, and what was added for one test."""

    cluster: Cluster
    installation: Installation
    prefix: str
    undo: contextlib.ExitStack

    def add(self, name: str, body: Object) -> Pool:
        """Make a pool in a namespace of its own, on a node of its own."""
        namespace = self.namespace(name)
        node = self.cluster.add_gpu_node(f"gpu-{namespace}", replicas=6)
        self.undo.callback(self.cluster.remove_node, node)
        self.cluster.add_namespace(namespace)
        self.undo.callback(self.cluster.remove_namespace, namespace)
        body["spec"]["nodeSelector"] = {"kubernetes.io/hostname": node}
        for number, model in enumerate(body["spec"]["models"]):
            model["name"] = model_of(namespace, number)
        return Pool.create(self.cluster, namespace, body)

    def namespace(self, name: str) -> str:
        """Return the namespace of a pool."""
        return f"{self.prefix}-{name}"


@pytest.fixture(scope="module")
def chart(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return rendered(helm, tmp_path_factory.mktemp("helm"), everywhere=True)


def left_by_pools(cluster: Cluster) -> list[Object]:
    """Return the pools, and the pods of pools, that hold something of the cards."""
    pods = cluster.api.items("/api/v1/pods", labelSelector="modelpool.dev/pool")
    pools = cluster.api.find("/apis/modelpool.dev/v1alpha1/modelpools")  # None where no chart was installed yet
    return [*pods, *(pools["items"] if pools else ())]


@pytest.fixture
def world(cluster: Cluster, chart: str, namespace: str, tmp_path: Path) -> Iterator[World]:
    logs = tmp_path / "logs"
    logs.mkdir()
    # What pools of earlier tests hold counts until their namespaces are gone.
    waiting.wait_for("the pools of earlier tests to be gone", lambda: not left_by_pools(cluster), timeout=90)
    with (
        installed(cluster, chart, namespace, logs, everywhere=True) as installation,
        contextlib.ExitStack() as undo,
    ):
        yield World(cluster=cluster, installation=installation, prefix=f"a{namespace[-6:]}", undo=undo)


def test_everybody_else_who_writes(world: World, tmp_path: Path) -> None:
    hooks = {world.namespace(name): row.webhook for name, row in ROWS.items() if row.webhook is not None}
    with webhooks(world.cluster, tmp_path, hooks), world.installation.operator() as operator:
        pools = {name: world.add(name, row.pool(models=row.models)) for name, row in ROWS.items()}
        for name, row in ROWS.items():
            if row.ready:
                pools[name].wait_ready(f"{row.models}/{row.models}")
        actors = {name: (pools[name], row.actor) for name, row in ROWS.items() if row.actor is not None}
        began = datetime.now(UTC)
        with acting(world.cluster, actors) as at_work:
            time.sleep((began + 2 * MINUTE - datetime.now(UTC)).total_seconds())  # the very thing to be measured
            ended = datetime.now(UTC)
            operator.program.assert_alive()
            found = {name: problems(pools[name], row, operator, began, ended) for name, row in ROWS.items()}
            for name, one in at_work.items():
                found[name] += lazy(one)
        for name, row in ROWS.items():
            row.end(pools[name])
    assert not any(found.values()), "\n".join(f"{name}: {text}" for name, one in found.items() for text in one)


def problems(pool: Pool, row: Row, operator: Operator, began: datetime, ended: datetime) -> list[str]:
    """Return what of a row is not as wanted."""
    events = operator.cluster.audit_events(user=operator.user, since=began)
    first, second = (
        writes_of(events, pool.namespace, *span) for span in ((began, began + MINUTE), (began + MINUTE, ended))
    )
    print(
        f"{pool.namespace}: {first.total()} writes in the first minute, {second.total()} in the second: {dict(second)}"
    )
    found = []
    if second.total() > row.writes:
        found.append(f"{second.total()} writes in the second minute, wanted {row.writes}: {dict(second)}")
    kind, reason = row.condition
    said = pool.conditions().get(kind, {})
    says = [words.format(engine=engine_of(pool.namespace)) for words in row.says]
    missing = [words for words in says if words not in said.get("message", "")]
    if kind and (said.get("reason") != reason or missing):
        found.append(f"wanted {reason} and {missing}, got {said}")
    progressing = pool.conditions().get("Progressing", {})
    if progressing.get("reason") == "Applying":
        found.append(f"is for ever on its way: {progressing}")
    found += problems_with_events(pool, row)
    try:
        row.children(pool)
    except AssertionError as exc:
        found.append(str(exc) or repr(exc))
    return found


def lazy(one: Acting) -> list[str]:
    """Return why an actor was none."""
    if one.failed:
        return [f"could not act: {one.failed}"]
    return [] if one.hand.acted or not one.actor.every else ["never acted"]


def test_pools_behind_a_webhook_that_hangs_cost_another_pool_no_time(world: World, tmp_path: Path) -> None:
    names = [f"hangs-{number}" for number in range(HANGING)]
    hooks = {world.namespace(name): Webhook("hang") for name in names}
    with webhooks(world.cluster, tmp_path, hooks), world.installation.operator():
        hanging = [world.add(name, small(models=1)) for name in names]
        began = time.monotonic()
        other = world.add("other", small(models=1))
        waiting.wait_for(
            "its Deployment", lambda: f"Deployment {engine_of(other.namespace)}" in other.names(), timeout=HANGS
        )
        took = time.monotonic() - began
        print(f"{took:.1f} s beside {HANGING} pools behind a webhook that hangs")
        assert took < SOON
        pool = hanging[-1]
        waiting.wait_for("a hanging one's status", lambda: told(pool) == "ApplyFailed")
        print(f"{time.monotonic() - began:.1f} s until one of them was told")


def told(pool: Pool) -> str:
    """Return the reason of `Degraded`."""
    return str(pool.conditions().get("Degraded", {}).get("reason"))


def test_a_pool_that_comes_back_takes_up_what_it_left_and_starts_anew_what_has_a_key(world: World) -> None:
    """Its key is that of the pool which is gone, and gateways have the new one's."""
    with world.installation.operator(*world.installation.told) as operator:
        pool = world.add("orphans", small(models=1))
        pool.wait_ready("1/1")
        pool.settle(operator)
        kept = {pod["metadata"]["uid"] for pod in pool.pods("vllm")}
        body = pool.get()
        world.cluster.api.delete(pool.path, propagationPolicy="Orphan")
        waiting.wait_for("its end", lambda: world.cluster.api.find(pool.path) is None)
        assert f"Deployment {engine_of(pool.namespace)}" in pool.names()
        back = {**body, "metadata": {"name": "small"}}
        del back["status"]
        pool = Pool.create(world.cluster, pool.namespace, back)
        pool.wait_ready("1/1")
        pool.settle(operator)
        uid = pool.get()["metadata"]["uid"]
        owners = {
            f"{one['kind']} {one['metadata']['name']}": one["metadata"].get("ownerReferences")
            for one in pool.children()
        }
        assert all(owner and owner[0]["uid"] == uid for owner in owners.values()), owners
        again = {pod["metadata"]["uid"] for pod in pool.pods("vllm")}
        assert (len(again), again & kept) == (1, set())
        assert pool.conditions()["Degraded"]["reason"] == "AsWanted"


def test_a_pool_that_a_finalizer_holds_says_so_and_goes_when_it_is_let_go(world: World) -> None:
    with world.installation.operator() as operator:
        body = small(models=1)
        body["metadata"]["finalizers"] = ["example.com/backup"]
        pool = world.add("held", body)
        pool.wait_ready("1/1")
        world.cluster.api.delete(pool.path)

        def said() -> bool:
            degraded = pool.conditions()["Degraded"]
            assert degraded["reason"] == "HeldByFinalizer", degraded
            return "'example.com/backup'" in degraded["message"]

        waiting.wait_for("what holds it", said)
        assert pool.conditions()["Ready"]["status"] == "True", "its engines run on"
        pool.settle(operator)
        world.cluster.api.patch(pool.path, {"metadata": {"finalizers": None}}, MERGE)
        waiting.wait_for("the end of its children", lambda: not pool.names())
