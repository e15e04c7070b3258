"""Which nodes are a pool's: rows of what a spec says and a node has, and what a plan counts with then."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.changes.plan import make_plan
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.planning.placement import eligibility
from modelpool_operator.planning.sharing.inventory import DeviceView, Inventory, NodeView
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.planning.pools import pool_of, spec_of, vllm

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def node(name: str = "n", mebibytes: int | None = 15360, **fields: Any) -> NodeView:
    """Return a node as the API server holds it, reduced; `taints` are written `key=value:effect`."""
    memory = {} if mebibytes is None else {"nvidia.com/gpu.memory": str(mebibytes)}
    labels = {"kubernetes.io/hostname": name, **memory, **fields.get("labels", {})}
    taints = []
    for text in fields.get("taints", ()):
        described, _, effect = text.rpartition(":")
        key, _, value = described.partition("=")
        taints.append({"key": key, "value": value, "effect": effect})
    spec = {"taints": taints, "unschedulable": fields.get("cordoned", False)}
    allocatable = {"cpu": "64", "nvidia.com/gpu": "4", **fields.get("offers", {})}
    return NodeView.from_manifest(
        {"metadata": {"name": name, "labels": labels}, "spec": spec, "status": {"allocatable": allocatable}}
    )


def required(*terms: Any) -> dict[str, Any]:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}}


def term(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A spec, a node, and whether the node is the pool's."""

    spec: dict[str, Any] = field(default_factory=dict)
    node: NodeView = field(default_factory=node)
    is_the_pools: bool = True
    held: bool = False


GPU: Any = {"labels": {"gpu": "h100", "cards": "8"}}
CASES = {
    "a spec that says nothing": Case(),
    "the labels of nodeSelector": Case(spec={"nodeSelector": {"gpu": "h100"}}, node=node(**GPU)),
    "another value than nodeSelector's": Case(
        spec={"nodeSelector": {"gpu": "t4"}}, node=node(**GPU), is_the_pools=False
    ),
    "In": Case(spec={"affinity": required(term("gpu", "In", "a100", "h100"))}, node=node(**GPU)),
    "In, without the label": Case(spec={"affinity": required(term("gpu", "In", "h100"))}, is_the_pools=False),
    "NotIn": Case(spec={"affinity": required(term("gpu", "NotIn", "h100"))}, node=node(**GPU), is_the_pools=False),
    "NotIn, without the label": Case(spec={"affinity": required(term("gpu", "NotIn", "h100"))}),
    "Exists": Case(spec={"affinity": required(term("gpu", "Exists"))}, node=node(**GPU)),
    "DoesNotExist": Case(
        spec={"affinity": required(term("gpu", "DoesNotExist"))}, node=node(**GPU), is_the_pools=False
    ),
    "Gt": Case(spec={"affinity": required(term("cards", "Gt", "4"))}, node=node(**GPU)),
    "Gt, and equal": Case(spec={"affinity": required(term("cards", "Gt", "8"))}, node=node(**GPU), is_the_pools=False),
    "Lt": Case(spec={"affinity": required(term("cards", "Lt", "9"))}, node=node(**GPU)),
    "Lt of a word": Case(spec={"affinity": required(term("gpu", "Lt", "9"))}, node=node(**GPU), is_the_pools=False),
    "one of two terms": Case(
        spec={"affinity": required(term("gpu", "In", "t4"), term("gpu", "Exists"))}, node=node(**GPU)
    ),
    "both expressions of a term": Case(
        spec={
            "affinity": required(
                {
                    "matchExpressions": [
                        *term("gpu", "Exists")["matchExpressions"],
                        *term("zone", "Exists")["matchExpressions"],
                    ]
                }
            )
        },
        node=node(**GPU),
        is_the_pools=False,
    ),
    "the node's name as a field": Case(
        spec={"affinity": required({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]})}
    ),
    "another name as a field": Case(
        spec={"affinity": required({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["m"]}]})},
        is_the_pools=False,
    ),
    "a term that is empty": Case(spec={"affinity": required({})}, is_the_pools=False),
    "an operator that nobody knows": Case(spec={"affinity": required(term("gpu", "Like", "h"))}, is_the_pools=False),
    "terms that are no terms": Case(
        spec={"affinity": required("gpu", {"matchExpressions": "gpu"})}, is_the_pools=False
    ),
    "an affinity that is only preferred": Case(
        spec={
            "affinity": {"nodeAffinity": {PREFERRED: [{"weight": 1, "preference": term("gpu", "In", "a100")}]}},
        },
        node=node(**GPU),
    ),
    "a taint": Case(node=node(taints=["team=ml:NoSchedule"]), is_the_pools=False),
    "a taint that evicts": Case(node=node(taints=["team=ml:NoExecute"]), is_the_pools=False),
    "a taint that only prefers others": Case(node=node(taints=["team=ml:PreferNoSchedule"])),
    "a taint, tolerated": Case(
        spec={"tolerations": [{"key": "team", "value": "ml", "effect": "NoSchedule"}]},
        node=node(taints=["team=ml:NoSchedule"]),
    ),
    "a taint of another value": Case(
        spec={"tolerations": [{"key": "team", "operator": "Equal", "value": "web"}]},
        node=node(taints=["team=ml:NoSchedule"]),
        is_the_pools=False,
    ),
    "a taint of another effect": Case(
        spec={"tolerations": [{"key": "team", "operator": "Exists", "effect": "NoExecute"}]},
        node=node(taints=["team=ml:NoSchedule"]),
        is_the_pools=False,
    ),
    "one taint of two tolerated": Case(
        spec={"tolerations": [{"key": "team", "operator": "Exists"}]},
        node=node(taints=["team=ml:NoSchedule", "lab:NoSchedule"]),
        is_the_pools=False,
    ),
    "everything tolerated": Case(
        spec={"tolerations": [{"operator": "Exists"}]}, node=node(taints=["team=ml:NoSchedule", "lab:NoExecute"])
    ),
    "a number above the toleration's": Case(
        spec={"tolerations": [{"key": "sla", "operator": "Gt", "value": "750"}]},
        node=node(taints=["sla=950:NoSchedule"]),
    ),
    "a number below the toleration's": Case(
        spec={"tolerations": [{"key": "sla", "operator": "Gt", "value": "750"}]},
        node=node(taints=["sla=500:NoSchedule"]),
        is_the_pools=False,
    ),
    "a taint named for the resource, which admission tolerates": Case(
        node=node(taints=["nvidia.com/gpu=present:NoSchedule"])
    ),
    "a taint that came after the pool": Case(node=node(taints=["team=ml:NoSchedule"]), held=True),
    "labels that went after the pool came": Case(spec={"nodeSelector": {"gpu": "h100"}}, held=True, is_the_pools=False),
    "a cordon, which passes": Case(node=node(cordoned=True, taints=["node.kubernetes.io/unschedulable:NoSchedule"])),
    "a node that does not report, which passes": Case(node=node(taints=["node.kubernetes.io/unreachable:NoExecute"])),
}
"""What the scheduler would say of each, but for what passes. Another case is a row more."""


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_node_is_the_pools_or_not(case: Case) -> None:
    spec = spec_of(vllm("a", 0.4), **case.spec)
    found = eligibility.nodes_of(spec, Inventory(nodes=(case.node,)), {case.node.name} if case.held else ())
    assert bool(found.nodes) is case.is_the_pools
    assert bool(eligibility.obstacles(spec, case.node)) or case.is_the_pools


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
)
WORDS = st.sampled_from(["key", "operator", "values", "matchExpressions", "matchFields", "effect", "value"])
TERMS = st.lists(JSON | st.dictionaries(WORDS, JSON | st.lists(st.dictionaries(WORDS, JSON))))


@given(terms=TERMS, tolerations=st.lists(st.dictionaries(WORDS, JSON)))
def test_whatever_a_spec_says_is_read(terms: list[Any], tolerations: list[Any]) -> None:
    spec = spec_of(vllm("a", 0.4), affinity=required(*terms), tolerations=tolerations)
    eligibility.nodes_of(spec, Inventory(nodes=(node(taints=["team=ml:NoSchedule"]),)))


def test_nodes_without_the_resource_do_not_count_where_others_have_it() -> None:
    shared, usual = node("shared", offers={"nvidia.com/gpu.shared": "0"}), node("usual")
    spec = spec_of(vllm("a", 0.4), gpus={"resourceName": "nvidia.com/gpu.shared"})
    assert eligibility.nodes_of(spec, Inventory(nodes=(shared, usual))).nodes == (shared,)
    assert eligibility.nodes_of(spec, Inventory(nodes=(usual,))).nodes == (usual,)


def test_devices_of_nodes_that_are_not_the_pools_do_not_count() -> None:
    nodes = (node("open"), node("closed", taints=["team=ml:NoSchedule"]))
    devices = tuple(DeviceView(node=name, name="gpu-0") for name in ("open", "closed", "unseen"))
    found = Inventory(nodes=nodes, devices=devices)
    anywhere, pinned = spec_of(vllm("a", 0.4)), spec_of(vllm("a", 0.4), nodeSelector={"kubernetes.io/hostname": "open"})
    assert [one.node for one in eligibility.nodes_of(anywhere, found).devices] == ["open", "unseen"]
    assert [one.node for one in eligibility.nodes_of(pinned, found).devices] == ["open"]


T4, H100 = node("t4"), node("h100", 81559, labels={"gpu": "h100"})
ON_H100 = {"affinity": required(term("gpu", "In", "h100"))}


def plan_of(pool: ModelPool, *nodes: NodeView, **seen: Any) -> Placement | str:
    """Return the placement, or the reason of the refusal."""
    placed = make_plan(pool, Observed(inventory=Inventory(nodes=nodes), **seen)).placement
    return placed if isinstance(placed, Placement) else placed.reason


def pool(share: dict[str, Any], **spec: Any) -> ModelPool:
    return pool_of(vllm("a", **share), **{"gpus": {"memory": None}, "ollama": {"enabled": False}, **spec})


@pytest.mark.parametrize(
    "where",
    [
        ON_H100,
        {"nodeSelector": {"gpu": "h100"}},
        {"gpus": {"memory": None, "resourceName": "nvidia.com/mig-3g.20gb"}},
    ],
)
@pytest.mark.parametrize(("amount", "fraction"), [("8Gi", 0.1004), ("40Gi", 0.5022)])
def test_an_amount_is_the_fraction_of_the_card_that_the_pool_comes_to(
    where: dict[str, Any], amount: str, fraction: float
) -> None:
    sliced = {"offers": {"nvidia.com/mig-3g.20gb": "2"}, "labels": {"nvidia.com/mig-3g.20gb.memory": "81559"}}
    other = replace(H100, resources={**H100.resources, "nvidia.com/mig-3g.20gb": 2})
    other = replace(other, labels={**other.labels, **sliced["labels"]})
    placed = plan_of(pool({"gpuMemory": amount}, **where), T4, other)
    assert isinstance(placed, Placement), placed
    assert [share.fraction for share in placed.shares] == [fraction]


def test_an_amount_is_refused_where_nodes_differ() -> None:
    for share, spec in (
        ({"gpuMemory": "8Gi"}, {}),
        ({"fraction": 0.4}, {"ollama": {"gpuMemory": "4Gi"}}),
    ):
        plan = make_plan(pool(share, **spec), Observed(inventory=Inventory(nodes=(T4, H100))))
        assert plan.refusal is not None
        assert (plan.refusal.reason, plan.refusal.passing) == ("CardsDiffer", True)
        assert "t4 15.00Gi, h100 79.65Gi" in plan.refusal.message


def test_a_fraction_is_counted_with_the_least_card() -> None:
    placed = plan_of(pool({"fraction": 0.4}), T4, H100)
    assert isinstance(placed, Placement)
    assert placed.cards[0].memory == 15360 << 20


def test_cards_that_differ_by_what_rounding_explains_are_alike() -> None:
    assert isinstance(plan_of(pool({"gpuMemory": "8Gi"}), node("a", 24564), node("b", 24576)), Placement)


def test_cards_that_differ_on_one_node_refuse_an_amount() -> None:
    devices = tuple(DeviceView(node="n", name=f"gpu-{size}", memory=size << 30) for size in (15, 80))
    inventory = Inventory(nodes=(node(mebibytes=None),), devices=devices)
    shared = pool({"gpuMemory": "8Gi"}, gpus={"memory": None, "sharing": "dra"})
    refusal = make_plan(shared, Observed(inventory=inventory)).refusal
    assert refusal is not None
    assert "n 15.00Gi and 80.00Gi" in refusal.message


def test_a_pool_that_says_its_cards_memory_is_believed() -> None:
    said = pool({"gpuMemory": "8Gi"}, gpus={"memory": "24Gi"})
    assert isinstance(plan_of(said, T4, H100), Placement)


def test_a_taint_that_comes_later_takes_no_plan_away() -> None:
    tainted, pod = node(taints=["team=ml:NoSchedule"]), PodView(name="p", node="n", gpus=(0,), held=1)
    assert plan_of(pool({"fraction": 0.4}), tainted) == "CardMemoryUnknown"
    assert isinstance(plan_of(pool({"fraction": 0.4}), tainted, pods=(pod,)), Placement)


def test_a_slice_of_a_card_is_not_the_card() -> None:
    labels = {"nvidia.com/mig-3g.20gb.memory": "19968"}
    mig = node("mig", 40960, labels=labels, offers={"nvidia.com/mig-3g.20gb": "2"})
    sliced = {"gpus": {"memory": None, "resourceName": "nvidia.com/mig-3g.20gb"}}
    placed = plan_of(pool({"gpuMemory": "8Gi"}, **sliced), mig, T4)
    assert isinstance(placed, Placement), placed
    assert (placed.cards[0].memory, placed.shares[0].fraction) == (19968 << 20, 0.4102)
    assert plan_of(pool({"gpuMemory": "24Gi"}, **sliced), mig) != "CardMemoryUnknown"
    refusal = make_plan(pool({"fraction": 0.4}, **sliced), Observed(inventory=Inventory(nodes=(T4,)))).refusal
    assert refusal is not None
    assert (refusal.reason, refusal.message) == (
        "CardMemoryUnknown",
        "`gpus.memory` is required: no node of the pool carries the label nvidia.com/mig-3g.20gb.memory",
    )
