"""Nodes that are too small for all engines of a pool: left out before there are any, and left out since."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.quantity import GIB
from modelpool_operator.planning.changes.plan import Plan, make_plan
from modelpool_operator.planning.observation.holdings import Hold, Neighbours
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.planning.placement.node_choice import amount_of, is_on_card
from modelpool_operator.planning.sharing.inventory import DeviceView, Inventory, NodeView
from modelpool_operator.tests.planning.pools import after, ollama, pool_of, vllm

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def node(name: str, **offers: Any) -> NodeView:
    """Return a node that offers resources, `gpu=4` standing for nvidia.com/gpu, and `cards` for its label."""
    cards = offers.pop("cards", None)
    labels = {"kubernetes.io/hostname": name, **({} if cards is None else {"nvidia.com/gpu.count": str(cards)})}
    fields = {key: offers.pop(key) for key in ("taints", "unschedulable") if key in offers}
    allocatable = {"cpu": "64", "memory": "512Gi"}
    allocatable |= {key if key in allocatable else f"nvidia.com/{key}": str(amount) for key, amount in offers.items()}
    return NodeView.from_manifest(
        {"metadata": {"name": name, "labels": labels}, "spec": fields, "status": {"allocatable": allocatable}}
    )


def pool(**spec: Any) -> ModelPool:
    models = spec.pop("models", (vllm("a", 0.3), vllm("b", 0.3), vllm("c", 0.3)))
    return pool_of(*models, **{"ollama": {"enabled": False}, **spec})


def kept_off(plan: Plan, *, on_card: bool = True) -> list[list[str]]:
    """Return the host names that the engines of a plan keep off, once for all on cards, or off them, that agree."""
    found = []
    for one in plan.apply:
        if one["kind"] == "Deployment" and is_on_card(one) is on_card:
            affinity = one["spec"]["template"]["spec"].get("affinity") or {}
            terms = (affinity.get("nodeAffinity") or {}).get(REQUIRED, {}).get("nodeSelectorTerms") or []
            hosts = [
                expression["values"]
                for term in terms
                for expression in term.get("matchExpressions", ())
                if (expression["key"], expression["operator"]) == ("kubernetes.io/hostname", "NotIn")
            ]
            found += [hosts[0] if hosts else []]
    assert all(hosts == found[0] for hosts in found), found
    return found[:1]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A pool and nodes, and which of them it keeps off."""

    pool: ModelPool
    nodes: tuple[NodeView, ...]
    wanted: tuple[str, ...]
    devices: tuple[DeviceView, ...] = ()


CPU = {"resources": {"requests": {"cpu": "3500m"}}}
TAINT = [{"key": "team", "effect": "NoSchedule"}]
CASES = {
    "one slot and eight": Case(pool=pool(), nodes=(node("one", gpu=1), node("eight", gpu=8)), wanted=("one",)),
    "slots enough for all but one": Case(
        pool=pool(), nodes=(node("two", gpu=2), node("three", gpu=3)), wanted=("two",)
    ),
    "enough everywhere": Case(pool=pool(), nodes=(node("a", gpu=4), node("b", gpu=8)), wanted=()),
    "enough nowhere": Case(pool=pool(), nodes=(node("a", gpu=1), node("b", gpu=2)), wanted=()),
    "none at all keeps itself off": Case(pool=pool(), nodes=(node("cpu"), node("eight", gpu=8)), wanted=()),
    "a larger node that is cordoned": Case(
        pool=pool(), nodes=(node("one", gpu=1), node("eight", gpu=8, unschedulable=True)), wanted=()
    ),
    "a larger node with a taint": Case(
        pool=pool(), nodes=(node("one", gpu=1), node("eight", gpu=8, taints=TAINT)), wanted=()
    ),
    "a larger node with a taint, tolerated": Case(
        pool=pool(tolerations=[{"key": "team", "operator": "Exists"}]),
        nodes=(node("one", gpu=1), node("eight", gpu=8, taints=TAINT)),
        wanted=("one",),
    ),
    "a larger node with a taint that admission tolerates": Case(
        pool=pool(),
        nodes=(node("one", gpu=1), node("eight", gpu=8, taints=[{"key": "nvidia.com/gpu", "effect": "NoSchedule"}])),
        wanted=("one",),
    ),
    "a larger node that nodeSelector leaves out": Case(
        pool=pool(nodeSelector={"kubernetes.io/hostname": "one"}),
        nodes=(node("one", gpu=1), node("eight", gpu=8)),
        wanted=(),
    ),
    "Ollama on the card counts": Case(
        pool=pool(models=(vllm("a", 0.3), ollama("b")), ollama={"gpuMemory": "4Gi"}),
        nodes=(node("one", gpu=1), node("two", gpu=2)),
        wanted=("one",),
    ),
    "Ollama on the CPU does not": Case(
        pool=pool(models=(vllm("a", 0.3), ollama("b")), ollama={}),
        nodes=(node("one", gpu=1), node("two", gpu=2)),
        wanted=(),
    ),
    "slices of a card": Case(
        pool=pool(gpus={"resourceName": "nvidia.com/mig-3g.20gb"}),
        nodes=(node("two", **{"mig-3g.20gb": 2}), node("four", **{"mig-3g.20gb": 4})),
        wanted=("two",),
    ),
    "the node's CPUs": Case(
        pool=pool(vllm=CPU),
        nodes=(node("small", gpu=4, cpu="8"), node("large", gpu=4, cpu="15500m")),
        wanted=("small",),
    ),
    "the node's memory": Case(
        pool=pool(vllm={"resources": {"limits": {"memory": "20Gi"}}}),
        nodes=(node("small", gpu=4, memory="33554432Ki"), node("large", gpu=4, memory="64Gi")),
        wanted=("small",),
    ),
    "whole cards": Case(
        pool=pool(gpus={"count": 3, "sharing": "exclusive"}),
        nodes=(node("two", gpu=2), node("four", gpu=4)),
        wanted=("two",),
    ),
    "claims": Case(
        pool=pool(models=(vllm("a", 0.3, gpu=0), vllm("b", 0.3, gpu=1)), gpus={"count": 2, "sharing": "dra"}),
        nodes=(node("one"), node("two")),
        devices=tuple(DeviceView(node=name, name=card) for name, card in (("one", "0"), ("two", "0"), ("two", "1"))),
        wanted=("one",),
    ),
    "cards that nobody counts": Case(
        pool=pool(
            models=(vllm("a", 0.3, gpu=0), vllm("b", 0.3, gpu=1)),
            gpus={"count": 2, "sharing": "visibleDevices"},
            affinity={
                "nodeAffinity": {
                    REQUIRED: {
                        "nodeSelectorTerms": [
                            {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "Exists"}]}
                        ]
                    }
                }
            },
        ),
        nodes=(node("one", cards=1), node("two", cards=2), node("untold")),
        wanted=("one",),
    ),
    "replicas, which stand on nodes of their own": Case(
        pool=pool(models=(vllm("a", 0.3, replicas=2), vllm("b", 0.3), vllm("c", 0.3))),
        nodes=(node("one", gpu=1), node("eight", gpu=8)),
        wanted=(),
    ),
    "a single engine": Case(
        pool=pool(models=(vllm("a", 0.3),)), nodes=(node("one", gpu=1), node("eight", gpu=8)), wanted=()
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_pool_keeps_off_nodes_that_are_too_small_for_it(case: Case) -> None:
    found = Observed(inventory=Inventory(nodes=case.nodes, devices=case.devices), every_node=True)
    plan = make_plan(case.pool, found)
    assert plan.refusal is None
    assert kept_off(plan) == [list(case.wanted)]
    noted = [note for note in plan.notes if "keeps off" in note]
    assert len(noted) == (1 if case.wanted else 0)
    # What was decided stays decided: whatever nodes come, and whether anybody looks or not.
    stays = after(Observed(), plan)
    for nodes in ((), (*case.nodes, node("more", gpu=16)), tuple(reversed(case.nodes))):
        again = make_plan(case.pool, replace(stays, inventory=Inventory(nodes=nodes, devices=case.devices)))
        assert not [one for one in again.apply if one["kind"] == "Deployment"], again.reasons


def test_a_model_that_comes_later_keeps_off_what_the_others_keep_off() -> None:
    nodes = (node("one", gpu=1), node("eight", gpu=8))
    first = make_plan(pool(), Observed(inventory=Inventory(nodes=nodes), every_node=True))
    more = pool(models=(vllm("a", 0.2), vllm("b", 0.2), vllm("c", 0.2), vllm("d", 0.2)))
    assert kept_off(make_plan(more, after(Observed(), first))) == [["one"]]


def test_a_pool_that_runs_on_a_small_node_is_not_moved() -> None:
    running = after(Observed(), make_plan(pool(), Observed()))
    nodes = (node("one", gpu=1), node("eight", gpu=8))
    assert not make_plan(pool(), replace(running, inventory=Inventory(nodes=nodes), every_node=True))


def test_where_only_small_nodes_are_left_they_are_better_than_none() -> None:
    nodes = (node("one", gpu=1), node("eight", gpu=8))
    first = make_plan(pool(), Observed(inventory=Inventory(nodes=nodes), every_node=True))
    left = replace(after(Observed(), first), inventory=Inventory(nodes=nodes[:1]), every_node=True)
    assert kept_off(make_plan(pool(), left)) == [[]]


def test_the_node_of_a_volume_is_not_left_out() -> None:
    nodes = (node("one", gpu=1), node("eight", gpu=8))
    volume = next(one for one in make_plan(pool(), Observed()).apply if one["kind"] == "PersistentVolumeClaim")
    volume["metadata"]["annotations"] = {"volume.kubernetes.io/selected-node": "one"}
    seen = Observed.from_manifests(children=[volume], inventory=Inventory(nodes=nodes), every_node=True)
    assert kept_off(make_plan(pool(), seen)) == [[]]


def test_room_is_looked_for_on_the_nodes_that_are_not_kept_off() -> None:
    labels = {"nvidia.com/gpu.count": "1", "nvidia.com/gpu.sharing-strategy": "time-slicing"}
    nodes = tuple(
        replace(found, labels={**found.labels, **labels}, gpu_memory=24 * GIB)
        for found in (node("small", gpu=8, cpu="4"), node("big", gpu=8, cpu="64"))
    )
    other = ObjectRef("lab", "other")
    hold = Hold(holder="pool lab/other", what="b", node="big", bytes=20 * GIB, counter="nvidia.com/gpu", pool=other)
    seen = Observed(inventory=Inventory(nodes=nodes), every_node=True, neighbours=Neighbours.of([hold], nodes))
    plan = make_plan(pool(gpus={"sharing": "timeSlicing"}, vllm=CPU), seen)
    assert plan.refusal is not None
    assert plan.refusal.reason == "CardHeld"
    assert not plan


def test_an_engine_that_stays_keeps_off_what_all_of_them_did() -> None:
    nodes = (node("one", gpu=1), node("eight", gpu=8))
    running = after(Observed(), make_plan(pool(), Observed(inventory=Inventory(nodes=nodes), every_node=True)))
    plan = make_plan(pool(models=(vllm("a", 0.3),)), running)
    assert [ref.name for ref in plan.delete if ref.kind == "Deployment"] == ["agentic-b", "agentic-c"]
    assert not [one["metadata"]["name"] for one in plan.apply if one["kind"] == "Deployment"]


@pytest.mark.parametrize("memory", ["0", "4Gi"], ids=["without a card", "on a card"])
def test_ollama_is_not_kept_off_the_node_of_its_volume(memory: str) -> None:
    mine = pool(models=(vllm("a", 0.3), vllm("b", 0.3), ollama("c")), ollama={"gpuMemory": memory})
    claims = [one for one in make_plan(mine, Observed()).apply if one["metadata"]["name"] == "agentic-ollama"]
    volume = next(one for one in claims if one["kind"] == "PersistentVolumeClaim")
    volume["metadata"] |= {"annotations": {"volume.kubernetes.io/selected-node": "one"}, "uid": "theirs"}
    nodes = (node("one", gpu=1), node("eight", gpu=8))
    seen = Observed.from_manifests(children=[volume], inventory=Inventory(nodes=nodes), every_node=True)
    plan = make_plan(mine, seen)
    if memory == "0":
        assert kept_off(plan) == [["one"]]
        assert kept_off(plan, on_card=False) == [[]]
        then = make_plan(mine, after(seen, plan))
        jobs = [one["spec"]["template"]["spec"] for one in then.apply if one["kind"] == "Job"]
        assert jobs
        assert not any("affinity" in one for one in jobs)
    else:
        assert kept_off(plan) == [[]]


def test_ollama_without_a_card_is_no_engine_that_is_there() -> None:
    nodes = (node("one", gpu=1), node("eight", gpu=8))
    with_ollama = after(Observed(), make_plan(pool(models=(ollama("c"),), ollama={}), Observed()))
    seen = replace(with_ollama, inventory=Inventory(nodes=nodes), every_node=True)
    plan = make_plan(pool(models=(vllm("a", 0.3), vllm("b", 0.3), ollama("c")), ollama={}), seen)
    assert kept_off(plan) == [["one"]]
    assert kept_off(plan, on_card=False) == []


def test_what_is_kept_off_is_added_to_each_term_of_the_users() -> None:
    zones = [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "Exists"}]}, {}]
    mine = pool(affinity={"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": zones}}})
    nodes = (node("one", gpu=1), node("eight", gpu=8))
    plan = make_plan(mine, Observed(inventory=Inventory(nodes=nodes), every_node=True))
    (first, *_) = (one for one in plan.apply if one["kind"] == "Deployment")
    affinity = first["spec"]["template"]["spec"]["affinity"]
    off = {"key": "kubernetes.io/hostname", "operator": "NotIn", "values": ["one"]}
    assert affinity["nodeAffinity"][REQUIRED]["nodeSelectorTerms"] == [
        {"matchExpressions": [zones[0]["matchExpressions"][0], off]}
    ]
    assert "podAffinity" in affinity


@given(slots=st.lists(st.integers(0, 6), min_size=1, max_size=6), engines=st.integers(2, 4))
def test_a_pool_is_never_kept_off_all_that_it_could_have(slots: list[int], engines: int) -> None:
    nodes = tuple(node(f"n{place}", gpu=count) for place, count in enumerate(slots))
    mine = pool(models=tuple(vllm(f"m{number}", 0.2) for number in range(engines)))
    (off,) = kept_off(make_plan(mine, Observed(inventory=Inventory(nodes=nodes), every_node=True)))
    open_ = [count for one, count in zip(nodes, slots, strict=True) if one.name not in off]
    if max(slots) >= engines:
        # The scheduler can only begin where it can also end.
        assert all(count == 0 or count >= engines for count in open_)
        assert max(open_) == max(slots)
    else:
        assert off == []


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("4", 4),
        ("500m", 0.5),
        ("1.5", 1.5),
        ("2Ki", 2048),
        ("1k", 1000),
        ("NaN", 0),
        ("Infinity", 0),
        ("much", 0),
        ({}, 0),
    ],
)
def test_a_quantity_is_read_as_kubernetes_writes_it(text: Any, amount: float) -> None:
    assert amount_of(text) == amount


@pytest.mark.parametrize("amount", [{"gpuMemoryFraction": 0.3}, {"gpuMemory": "7Gi"}], ids=["a share", "an amount"])
@pytest.mark.parametrize("stands", [True, False], ids=["stands", "between two pods"])
def test_a_node_with_other_cards_that_joins_starts_no_engine_anew(amount: dict[str, Any], stands: bool) -> None:
    mine = pool(models=tuple(vllm(name, **amount) for name in "ab"), gpus={"memory": None, "sharing": "timeSlicing"})
    first, second = (
        replace(node(name, gpu=8), gpu_memory=size * GIB) for name, size in (("first", 24), ("second", 12))
    )
    before = Observed(inventory=Inventory(nodes=(first,)), every_node=True)
    running = after(before, make_plan(mine, before))
    held = (PodView(name="a", component="vllm", model="a", node="first", held=7 * GIB),) if stands else ()
    plan = make_plan(mine, replace(running, pods=held, inventory=Inventory(nodes=(first, second))))
    assert plan.refusal is None
    assert not [one["metadata"]["name"] for one in plan.apply if one["kind"] == "Deployment"], plan.reasons
