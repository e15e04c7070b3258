"""What is said of an engine that finds no node: a row for each way in which nodes, a spec and the scheduler agree."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from modelpool_operator.planning.placement.node_choice import Needs
from modelpool_operator.planning.reporting import no_node
from modelpool_operator.planning.reporting.scheduler_words import Search
from modelpool_operator.planning.sharing.inventory import Inventory, NodeView
from modelpool_operator.tests.planning.pools import spec_of, vllm

GPU = "nvidia.com/gpu"
SELECTOR = "node(s) didn't match Pod's node affinity/selector"
TAINTED = "node(s) had untolerated taint(s)"
CORDONED = "node(s) were unschedulable"


def node(name: str, *, gpu: int | None = 4, taints: tuple[str, ...] = (), **fields: Any) -> NodeView:
    offers = {} if gpu is None else {GPU: str(gpu)}
    listed = [dict(zip(("key", "value", "effect"), text.split(":"), strict=True)) for text in taints]
    return NodeView.from_manifest(
        {
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **fields.get("labels", {})}},
            "spec": {"taints": listed, "unschedulable": fields.get("cordoned", False)},
            "status": {"allocatable": {"cpu": "8", **offers, **fields.get("offers", {})}},
        }
    )


CONTROL = node("control", gpu=None, taints=("node-role.kubernetes.io/control-plane::NoSchedule",))


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the scheduler says, what there is, what the spec says; and what is to be said and what is not."""

    says: str
    wanted: str
    nodes: tuple[NodeView, ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict)
    home: str | None = None
    together: int = 3
    unsaid: tuple[str, ...] = ("nodeSelector",)
    out_of_cards: bool | None = None
    resource: str = GPU


H100: Any = {"labels": {"gpu": "h100"}}
CASES = {
    "a taint on the only node that is meant": Case(
        says=f"1 {SELECTOR}, 1 {TAINTED}",
        nodes=(node("a"), node("b", taints=("team:ml:NoSchedule",), **H100)),
        spec={"nodeSelector": {"gpu": "h100"}},
        wanted="Node b has the taint team=ml:NoSchedule. Tolerate it in `tolerations`, if the pool may run there",
    ),
    "a cordon on the only node that is meant": Case(
        says=f"1 {SELECTOR}, 1 {CORDONED}",
        nodes=(node("a"), node("b", cordoned=True, **H100)),
        spec={"nodeSelector": {"gpu": "h100"}},
        wanted="Node b is cordoned. `kubectl uncordon b` lets pods onto it again",
    ),
    "several nodes, each with its own": Case(
        says=f"2 {CORDONED}, 1 {TAINTED}",
        nodes=(
            node("a", cordoned=True),
            node("b", taints=("team:ml:NoSchedule",)),
            node("c", taints=("team:ml:NoSchedule",)),
        ),
        wanted="Node a is cordoned; node b (and 1 more) has the taint team=ml:NoSchedule.",
    ),
    "a node that does not report": Case(
        says=f"1 {TAINTED}",
        nodes=(node("a", taints=("node.kubernetes.io/unreachable::NoSchedule",)),),
        wanted="Node a has the taint node.kubernetes.io/unreachable:NoSchedule. `kubectl describe nodes` tells why",
    ),
    "labels that no node has, beside a tainted control plane": Case(
        says=f"1 {SELECTOR}, 1 {TAINTED}",
        nodes=(node("a"), CONTROL),
        spec={"nodeSelector": {"gpu": "h100"}},
        wanted="No node has gpu=h100 of `nodeSelector`; `kubectl get nodes --show-labels` shows all labels",
        unsaid=("taint",),
    ),
    "labels that no node has together": Case(
        says=f"2 {SELECTOR}",
        nodes=(node("a", labels={"gpu": "h100"}), node("b", labels={"zone": "1"})),
        spec={"nodeSelector": {"gpu": "h100", "zone": "1"}},
        wanted="No node has all labels of `nodeSelector`",
        unsaid=(),
    ),
    "an affinity that no node matches": Case(
        says=f"1 {SELECTOR}",
        nodes=(node("a"),),
        spec={
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [{"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}]
                    }
                }
            }
        },
        wanted="No node that `nodeSelector` leads to matches a term of the required `affinity.nodeAffinity`",
        unsaid=(),
    ),
    "the node's CPUs": Case(
        says=f"1 Insufficient cpu, 1 {SELECTOR}, 1 {TAINTED}",
        nodes=(node("a", **H100), node("b"), CONTROL),
        spec={"nodeSelector": {"gpu": "h100"}},
        wanted="Lower `vllm.resources.requests`, or free the node",
        unsaid=("nodeSelector", "taint"),
    ),
    "a volume of another node": Case(
        says=f"1 node(s) didn't match PersistentVolume's node affinity, 1 {SELECTOR}",
        nodes=(node("a", **H100), node("b")),
        spec={"nodeSelector": {"gpu": "h100"}},
        wanted="PersistentVolumeClaim pool-cache has its volume on another node or in another zone: let `nodeSelector`",
        unsaid=("taint",),
    ),
    "a volume of another node, as older schedulers say it": Case(
        says=f"1 node(s) had volume node affinity conflict, 1 {SELECTOR}",
        wanted="PersistentVolumeClaim pool-cache has its volume on another node",
        unsaid=("No node fits",),
    ),
    "a volume that can be mounted no more": Case(
        says="1 node(s) exceed max volume count",
        nodes=(node("a"),),
        wanted="PersistentVolumeClaim pool-cache cannot be mounted once more there",
    ),
    "pods enough": Case(
        says="1 Too many pods", nodes=(node("a"),), wanted="The node runs as many pods as its kubelet allows"
    ),
    "slices that no node offers": Case(
        says="1 Insufficient nvidia.com/mig-3g.20gb",
        nodes=(node("a", gpu=None, offers={"nvidia.com/mig-1g.5gb": "7"}),),
        resource="nvidia.com/mig-3g.20gb",
        wanted="Node a offers no nvidia.com/mig-3g.20gb. Name what the node offers in `gpus.resourceName`"
        " (nvidia.com/mig-1g.5gb)",
        out_of_cards=True,
    ),
    "slices that others have": Case(
        says="1 Insufficient nvidia.com/mig-3g.20gb",
        nodes=(node("a", gpu=None, offers={"nvidia.com/mig-3g.20gb": "2"}),),
        resource="nvidia.com/mig-3g.20gb",
        wanted="Let the device plugin offer one `nvidia.com/mig-3g.20gb` for each engine",
        out_of_cards=True,
    ),
    "no card on a node for CPUs, and a taint on the one with cards": Case(
        says=f"1 Insufficient {GPU}, 1 {TAINTED}",
        nodes=(node("a", gpu=None), node("b", taints=("team:ml:NoSchedule",))),
        wanted="Node b has the taint team=ml:NoSchedule. Tolerate it",
        unsaid=("device plugin",),
        out_of_cards=False,
    ),
    "cards behind a taint that admission does not tolerate": Case(
        says=f"2 {TAINTED}",
        nodes=(node("b", taints=("nvidia.com/gpu:present:NoSchedule",)), CONTROL),
        wanted="Node b has the taint nvidia.com/gpu=present:NoSchedule",
        out_of_cards=False,
    ),
    "cards behind a taint that admission tolerates": Case(
        says=f"1 Insufficient {GPU}, 1 {TAINTED}",
        nodes=(node("b", taints=("nvidia.com/gpu:present:NoSchedule",)), CONTROL),
        wanted=f"Let the device plugin offer one `{GPU}` for each engine",
        unsaid=("present",),
        out_of_cards=True,
    ),
    "cards of a cordoned node, and none on the others": Case(
        says=f"1 Insufficient {GPU}, 1 {CORDONED}",
        nodes=(node("a", gpu=None, labels={}), node("b", cordoned=True, **H100)),
        spec={"nodeSelector": {"gpu": "h100"}},
        wanted="Node b is cordoned",
        out_of_cards=False,
    ),
    "a pool on a node that is too small": Case(
        says=f"1 Insufficient {GPU}, 1 node(s) didn't match pod affinity rules",
        nodes=(node("one", gpu=1), node("eight", gpu=8)),
        home="one",
        wanted="The pool's engines stand on node one and share its cards, but it has only 1 of 3 nvidia.com/gpu that"
        " all of them ask for: let `nodeSelector` lead to eight, where there is enough; all engines then move",
        unsaid=("device plugin",),
    ),
    "a pool on a node that is too small, and no other": Case(
        says=f"1 Insufficient {GPU}, 1 node(s) didn't match pod affinity rules",
        nodes=(node("one", gpu=1), node("two", gpu=2)),
        home="one",
        wanted="no other node of the pool has more: lower what they ask for, or make two pools",
    ),
    "a pool on a node that others fill": Case(
        says=f"1 Insufficient {GPU}, 1 node(s) didn't match pod affinity rules",
        nodes=(node("four", gpu=4), node("eight", gpu=8)),
        home="four",
        wanted=f"Let the device plugin offer one `{GPU}` for each engine",
        unsaid=("other engines are on another node",),
    ),
    "a pool on a node that was cordoned": Case(
        says=f"1 {CORDONED}, 1 node(s) didn't match pod affinity rules",
        nodes=(node("four", cordoned=True), node("eight", gpu=8)),
        home="four",
        wanted="Node four is cordoned",
    ),
    "replicas without a node": Case(
        says="1 node(s) didn't match pod anti-affinity rules",
        nodes=(node("a"),),
        wanted="Each replica of a model takes a node of its own: give the pool another node",
    ),
    "nobody may look: CPUs before labels": Case(
        says=f"1 Insufficient cpu, 2 {SELECTOR}", wanted="Lower `vllm.resources.requests`, or free the node"
    ),
    "nobody may look: a taint and labels": Case(
        says=f"1 {TAINTED}, 1 {SELECTOR}", wanted="Add the node's taint to `tolerations`", unsaid=()
    ),
    "nobody may look: no card, or a taint": Case(
        says=f"1 Insufficient {GPU}, 1 {TAINTED}",
        wanted="for each engine that shares a card; `kubectl describe nodes` shows what it offers and who has it. Add"
        " the node's taint to `tolerations`",
        out_of_cards=True,
    ),
    "nobody may look: labels alone": Case(says=f"2 {SELECTOR}", wanted="No node fits `nodeSelector` (none)", unsaid=()),
    "words that nobody knows": Case(
        says="1 node(s) are blue", nodes=(node("a"),), wanted="`kubectl describe nodes` tells what each node offers"
    ),
}
"""Another fault of placement is a row more."""


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_holds_is_what_is_said(case: Case) -> None:
    search = Search(
        spec=spec_of(vllm("a", 0.3), **case.spec),
        says=f"0/{len(case.nodes)} nodes are available: {case.says}",
        server="vllm",
        claim="pool-cache",
        resource=case.resource,
        nodes=Inventory(nodes=case.nodes),
        home=case.home,
        needs=Needs(together={GPU: Decimal(case.together)}, least={GPU: Decimal(1)}),
    )
    said = no_node.advice_on(search)
    assert case.wanted in said
    for unsaid in case.unsaid:
        assert unsaid not in said.replace("let `nodeSelector`", "")
    if case.out_of_cards is not None:
        assert no_node.is_out_of_cards(search) is case.out_of_cards
