"""Where a pool is counted that moves, stops, has replicas, or may be on several nodes: by what was seen and planned."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.quantity import GIB
from modelpool_operator.planning.changes.plan import Plan, make_plan
from modelpool_operator.planning.objects.identity import Manifest
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.planning.sharing.inventory import Inventory, NodeView
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.handlers.test_card_holdings import Around, Operator
from modelpool_operator.tests.planning.pools import pool_of, vllm
from modelpool_operator.tests.planning.test_neighbours import GPU

GPUS = {names.NODE_GPU_COUNT_LABEL: "1", names.NODE_GPU_SHARING_LABEL: "none", "gpu": "yes"}
ANY = {"gpu": "yes"}


def node(name: str, memory: int = 24, *, replicas: int = 1, labels: Mapping[str, str | None] | None = None) -> NodeView:
    said = {**GPUS, names.HOSTNAME_LABEL: name, **(labels or {})}
    if replicas > 1:
        said[names.NODE_GPU_SHARING_LABEL] = "time-slicing"
    kept = {key: value for key, value in said.items() if value is not None}
    return NodeView(name=name, labels=kept, gpu_memory=memory * GIB, resources={GPU: replicas})


TWO = (node("gpu-1"), node("gpu-2"))


def pool(name: str, where: str | Mapping[str, str] = ANY, *models: dict[str, Any], **more: Any) -> ModelPool:
    """Return a pool; the later its name is in the alphabet, the younger it is."""
    selector = {names.HOSTNAME_LABEL: where} if isinstance(where, str) else dict(where)
    gpus = {"sharing": "visibleDevices", **more.pop("gpus", {})}
    spec = {"nodeSelector": selector, "ollama": {"enabled": False}, **more}
    made = pool_of(*(models or (vllm("m", 0.8),)), name=name, gpus=gpus, **spec)
    return structs.replace(made, uid=f"uid-{name}", created=datetime(2026, 11, ord(name[0]) - 96, tzinfo=UTC))


def pods_of(
    children: Iterable[Manifest], nodes: Iterable[str | None], *, deleting: bool = False
) -> tuple[PodView, ...]:
    """Return a ready pod of each Deployment on each node."""
    found = []
    for place, where in enumerate(nodes):
        for child in children:
            if child["kind"] != "Deployment":
                continue
            template = child["spec"]["template"]
            described = {**template["metadata"], "name": f"{child['metadata']['name']}-{place}"}
            described |= {"deletionTimestamp": "2026-11-30T00:00:00Z"} if deleting else {}
            manifest = {
                "metadata": described,
                "spec": {**template["spec"], **({"nodeName": where} if where else {})},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
            }
            found.append(PodView.from_manifest(manifest))
    return tuple(found)


class Cluster(Operator):
    """Passes over pools, whose pods are put on nodes."""

    def runs(self, one: ModelPool, *nodes: str | None) -> Plan:
        """Have the pods of a pool's Deployments stand on these nodes, and look."""
        observed = self.known[one.ref]
        self.known[one.ref] = replace(observed, pods=pods_of(observed.children.values(), nodes))
        return self.look(one)[0]

    def planned(self, one: ModelPool) -> Plan:
        plan, _ = self.look(one)
        assert plan.refusal is None, plan.refusal
        return plan

    def refused(self, one: ModelPool) -> str:
        plan, _ = self.look(one)
        assert plan.refusal is not None, plan.placement
        assert plan.refusal.reason == "CardHeld"
        return plan.refusal.message

    def restarted(self, *pools: ModelPool) -> "Cluster":
        """Return another operator of the same cluster, before its first pass."""
        again = Cluster(around=self.around)
        again.known = self.known
        for one in pools:
            again.card_holdings.expect(one, again.known.get(one.ref, Observed()))
        return again


def notes(plan: Plan) -> tuple[str, ...]:
    """Return what a plan says of others."""
    assert isinstance(plan.placement, Placement)
    return plan.placement.beside


def cluster(*nodes: NodeView) -> Cluster:
    return Cluster(around=Around(nodes=nodes or TWO))


MODES = ["visibleDevices", "exclusive", "dra"]


@pytest.mark.parametrize("sharing", MODES)
def test_what_a_pool_has_on_one_node_is_no_room_for_it_on_another(sharing: str) -> None:
    gpus = {"sharing": sharing}
    there = cluster()
    there.planned(pool("b", "gpu-2", gpus=gpus))
    there.runs(pool("b", "gpu-2", gpus=gpus), "gpu-2")
    there.planned(pool("a", "gpu-1", gpus=gpus))
    there.runs(pool("a", "gpu-1", gpus=gpus), "gpu-1")
    assert "pool llm/b" in there.refused(pool("a", "gpu-2", gpus=gpus))
    assert "pool llm/b" in there.refused(pool("a", "gpu-2", gpus=gpus))
    assert "pool llm/a" in there.refused(pool("c", "gpu-1", gpus=gpus))
    again = there.restarted(pool("a", "gpu-2", gpus=gpus), pool("b", "gpu-2", gpus=gpus))
    assert "pool llm/b" in again.refused(pool("a", "gpu-2", gpus=gpus))


@pytest.mark.parametrize("sharing", MODES)
def test_a_stopped_pool_takes_nothing_along_when_it_moves(sharing: str) -> None:
    gpus, stopped = {"sharing": sharing}, vllm("m", 0.8, replicas=0)
    there = cluster()
    there.planned(pool("b", "gpu-2", gpus=gpus))
    there.planned(pool("a", "gpu-1", stopped, gpus=gpus))
    for _ in range(2):
        assert "pool llm/b" in there.refused(pool("a", "gpu-2", stopped, gpus=gpus))
    again = there.restarted(pool("a", "gpu-2", stopped, gpus=gpus), pool("b", "gpu-2", gpus=gpus))
    assert "pool llm/b" in again.refused(pool("a", "gpu-2", stopped, gpus=gpus))


@pytest.mark.parametrize("sharing", MODES)
def test_a_pool_that_moves_holds_both_nodes_until_its_pods_have_moved(sharing: str) -> None:
    gpus = {"sharing": sharing}
    before, after = pool("a", "gpu-1", gpus=gpus), pool("a", "gpu-2", gpus=gpus)
    there = cluster()
    there.planned(before)
    there.runs(before, "gpu-1")
    for _ in range(2):
        there.planned(after)
        assert "pool llm/a" in there.refused(pool("c", "gpu-2", gpus=gpus))
        assert "pool llm/a" in there.refused(pool("d", "gpu-1", gpus=gpus))
    again = there.restarted(after)
    assert "pool llm/a" in again.refused(pool("c", "gpu-2", gpus=gpus))
    there.runs(after, "gpu-2")
    there.planned(pool("d", "gpu-1", gpus=gpus))
    assert "pool llm/a" in there.refused(pool("c", "gpu-2", gpus=gpus))


@pytest.mark.parametrize("sharing", ["visibleDevices", "timeSlicing"])
def test_a_pool_without_a_pod_keeps_its_share_where_it_was(sharing: str) -> None:
    gpus = {"sharing": sharing}
    nodes = [node(name, replicas=8) for name in ("gpu-1", "gpu-2")] if sharing == "timeSlicing" else TWO
    there, one = cluster(*nodes), pool("a", gpus=gpus)
    other = pool("b", "gpu-2", gpus=gpus)
    there.planned(one)
    there.runs(one, "gpu-2")
    stopped = pool("a", ANY, vllm("m", 0.8, replicas=0), gpus=gpus)
    there.planned(stopped)
    there.runs(stopped)
    assert "pool llm/a" in there.refused(other)
    there.planned(one)
    there.runs(one, None)  # between two pods: the new one has no node yet
    assert "pool llm/a" in there.refused(other)
    there.planned(pool("c", "gpu-1", gpus=gpus))
    assert "pool llm/a" in there.refused(other)


def test_after_a_restart_the_volume_tells_where_a_stopped_pool_was() -> None:
    there, stopped = cluster(), pool("a", ANY, vllm("m", 0.8, replicas=0))
    there.planned(stopped)
    (claim,) = (one for one in there.known[stopped.ref].children.values() if one["kind"] == "PersistentVolumeClaim")
    claim["metadata"].setdefault("annotations", {})["volume.kubernetes.io/selected-node"] = "gpu-2"
    again = there.restarted(stopped)
    again.planned(pool("b", "gpu-1"))
    assert "pool llm/a" in again.refused(pool("c", "gpu-2"))


def test_after_a_restart_a_stopped_pool_that_may_be_anywhere_is_counted_everywhere_until_its_first_pass() -> None:
    there = cluster()
    stopped = [pool(name, ANY, vllm("m", 0.8, replicas=0)) for name in ("a", "b")]
    for one in stopped:
        there.planned(one)
    again = there.restarted(*stopped)
    for host in ("gpu-1", "gpu-2"):
        assert "pool llm/a" in again.refused(pool("c", host))
    for one in (*stopped, *stopped):
        again.planned(one)
    counted = {entry.homes for ref, entry in again.card_holdings._entries.items() if ref.name in "ab"}
    assert counted == {("gpu-1",), ("gpu-2",)}


@pytest.mark.parametrize("sharing", ["visibleDevices", "timeSlicing"])
def test_pools_that_fit_the_same_nodes_are_not_all_planned_onto_one(sharing: str) -> None:
    nodes = [node(name, replicas=8) for name in ("gpu-1", "gpu-2")] if sharing == "timeSlicing" else TWO
    there, gpus = cluster(*nodes), {"sharing": sharing}
    assert notes(there.planned(pool("a", gpus=gpus))) == ()
    said = "; ".join(there.planned(pool("b", gpus=gpus)).notes)
    assert "card 0 of node gpu-1" in said
    assert "it may meet pool llm/a on node gpu-2" in said
    message = there.refused(pool("c", gpus=gpus))
    assert "pool llm/a" in message
    assert "pool llm/b" in message
    there.runs(pool("b", gpus=gpus), "gpu-1")
    there.planned(pool("a", gpus=gpus))
    there.refused(pool("c", gpus=gpus))
    there.runs(pool("a", gpus=gpus), "gpu-2")
    there.refused(pool("c", gpus=gpus))
    assert there.leave(pool("a", gpus=gpus)) == {"c"}
    there.planned(pool("c", gpus=gpus))


def test_a_pool_that_may_go_elsewhere_makes_way_for_one_that_may_not_and_both_are_told() -> None:
    there, anywhere, pinned = cluster(), pool("a"), pool("b", "gpu-1")
    there.planned(anywhere)
    there.refused(pinned)
    there.planned(anywhere)
    assert "it may meet pool llm/a on node gpu-1" in "; ".join(there.planned(pinned).notes)
    assert "pool llm/b" in "; ".join(there.planned(anywhere).notes)
    assert "pool llm/a" in there.refused(pool("c", "gpu-2"))


def test_who_waits_for_a_node_wakes_those_who_are_only_counted_there() -> None:
    there = cluster()
    there.planned(pool("a"))
    assert there.look(pool("b", "gpu-1"))[1] == {"a"}
    assert "b" in there.look(pool("a"))[1]
    assert there.look(pool("b", "gpu-1"))[1] <= {"a"}


@pytest.mark.parametrize("replicas", [2, 3])
def test_as_many_nodes_need_room_as_there_are_replicas(replicas: int) -> None:
    nodes = [node(f"gpu-{number}") for number in range(replicas)]
    there, cache = cluster(*nodes), {"existingClaim": "c"}
    full = pool("b", f"gpu-{replicas - 1}")
    there.planned(full)
    there.runs(full, f"gpu-{replicas - 1}")
    many = pool("a", ANY, vllm("m", 0.8, replicas=replicas), cache=cache)
    assert f"its replicas need {replicas} nodes with room" in there.refused(many)
    there.leave(full)
    there.planned(many)
    for _ in range(2):
        for one in nodes:
            assert "pool llm/a" in there.refused(pool("c", one.name))
        there.runs(many, "gpu-0")
    there.planned(pool("a", ANY, vllm("m", 0.8), cache=cache))


def test_replicas_with_whole_cards_on_one_node_hold_a_card_each() -> None:
    gpus, two = {"sharing": "exclusive"}, node("gpu-1", labels={names.NODE_GPU_COUNT_LABEL: "2"})
    there = cluster(replace(two, resources={GPU: 2}))
    many = pool("a", ANY, vllm("m", 0.8, replicas=2), gpus=gpus, cache={"existingClaim": "c"})
    there.planned(many)
    assert "48.00Gi pool llm/a" in there.refused(pool("b", ANY, gpus=gpus))
    there.runs(many, "gpu-1", "gpu-1")
    assert "48.00Gi pool llm/a" in there.refused(pool("b", ANY, gpus=gpus))


def test_two_engines_of_one_model_on_a_card_hold_it_twice_and_one_that_ends_holds_it_once() -> None:
    there, one = cluster(), pool("a", "gpu-1", vllm("m", 0.3))
    there.planned(one)
    there.runs(one, "gpu-1", "gpu-1")
    assert "15.40Gi pool llm/a" in there.refused(pool("b", "gpu-1", vllm("m", 0.5)))
    children = there.known[one.ref].children.values()
    pods = (*pods_of(children, ["gpu-1"]), *pods_of(children, ["gpu-1"], deleting=True))
    there.known[one.ref] = replace(there.known[one.ref], pods=pods)
    there.planned(one)
    there.planned(pool("b", "gpu-1", vllm("m", 0.5)))


def mixed() -> tuple[NodeView, NodeView]:
    return node("t4", 16, replicas=8), node("h100", 80, replicas=8)


def test_a_fraction_is_counted_of_the_card_that_it_stands_on() -> None:
    there, gpus = cluster(*mixed()), {"sharing": "timeSlicing"}
    one = pool("a", gpus={**gpus, "memory": None})
    there.known[one.ref] = Observed(inventory=Inventory(nodes=mixed()))
    there.planned(one)
    there.runs(one, "h100")
    large = pool("b", "h100", vllm("m", 0.7), gpus={**gpus, "memory": "80Gi"})
    assert "64.75Gi pool llm/a (m)" in there.refused(large)
    there.planned(pool("c", "h100", vllm("m", 0.1), gpus={**gpus, "memory": "80Gi"}))


def test_an_amount_is_refused_where_a_fraction_stands_on_a_larger_card_than_it_was_planned_with() -> None:
    there, gpus = cluster(*mixed()), {"sharing": "timeSlicing", "memory": None}
    one, amount = pool("a", gpus=gpus), pool("a", ANY, vllm("m", gpuMemory="8Gi"), gpus=gpus)
    there.known[one.ref] = Observed(inventory=Inventory(nodes=mixed()))
    there.planned(one)
    there.runs(one, "h100")
    refusals = [
        make_plan(amount, seen).refusal for seen in (there.known[one.ref], Observed(inventory=Inventory(nodes=mixed())))
    ]
    assert [one.reason for one in refusals if one is not None] == ["CardsDiffer", "CardsDiffer"]


def test_a_node_that_does_not_say_how_many_cards_it_has_may_have_one() -> None:
    unsaid = {names.NODE_GPU_COUNT_LABEL: None, names.NODE_GPU_SHARING_LABEL: None}
    there, gpus = cluster(replace(node("gpu-1", labels=unsaid), resources={GPU: 8})), {"sharing": "timeSlicing"}
    there.planned(pool("a", "gpu-1", gpus=gpus))
    assert "pool llm/a" in there.refused(pool("b", "gpu-1", gpus=gpus))


@pytest.mark.parametrize("resource", ["nvidia.com/mig-3g.20gb", "nvidia.com/mig-3g.20gb.shared"])
def test_replicas_of_one_slice_are_one_slice(resource: str) -> None:
    labels = {"nvidia.com/mig-3g.20gb.count": "1", "nvidia.com/mig-3g.20gb.sharing-strategy": "time-slicing"}
    there = cluster(replace(node("gpu-1", 40, labels=labels), resources={resource: 4}))
    gpus = {"sharing": "timeSlicing", "resourceName": resource, "memory": "20Gi"}
    there.planned(pool("a", "gpu-1", gpus=gpus))
    assert "pool llm/a" in there.refused(pool("b", "gpu-1", gpus=gpus))


def test_an_older_pool_that_waits_and_leaves_its_cards_to_its_nodes_comes_first_after_a_restart() -> None:
    there = cluster().restarted(pool("a", "gpu-1", gpus={"memory": None}), pool("b", "gpu-1"))
    assert "pool llm/a, older and waiting" in there.refused(pool("b", "gpu-1"))


def test_a_volume_of_two_ways_of_sharing_is_not_one_lock() -> None:
    cache, small = {"existingClaim": "weights"}, vllm("m", 0.3)
    there = cluster(node("gpu-1", replicas=8))
    there.planned(pool("a", "gpu-1", small, gpus={"sharing": "timeSlicing"}, cache=cache))
    plan = there.planned(pool("b", "gpu-1", small, cache=cache))
    assert plan.starts == ("m: starts once m of pool llm/a on the same card answers",)
    assert isinstance(plan.placement, Placement)


def test_a_stopped_pool_that_is_refused_elsewhere_does_not_come_to_be_counted_there() -> None:
    there, stopped = cluster(), vllm("m", 0.8, replicas=0)
    there.planned(pool("b", "gpu-2"))
    there.planned(pool("a", ANY, stopped))
    for _ in range(2):
        assert "pool llm/b" in there.refused(pool("a", "gpu-2", stopped))
