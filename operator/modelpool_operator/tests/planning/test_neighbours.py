"""A pool beside others on one node, in every way of sharing: what is planned, what is refused, and who is named."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from modelpool_operator.api import names
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.quantity import GIB
from modelpool_operator.planning.changes.plan import Plan, make_plan
from modelpool_operator.planning.observation.holdings import Hold, Neighbours
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.planning.sharing.inventory import NodeView
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.planning.pools import ollama, pool_of, settled, vllm

NODE = "gpu-1"
HERE = {"kubernetes.io/hostname": NODE}
GPU = "nvidia.com/gpu"
OTHER = ObjectRef("lab", "other")


def node(cards: int = 1, *, name: str = NODE, strategy: str = "none", replicas: int = 1, **more: Any) -> NodeView:
    labels = {
        "kubernetes.io/hostname": name,
        "nvidia.com/gpu.count": str(cards),
        "nvidia.com/gpu.sharing-strategy": strategy,
    }
    return NodeView(name=name, labels=labels, gpu_memory=24 * GIB, resources={GPU: cards * replicas}, **more)


def sliced(cards: int = 1, **more: Any) -> NodeView:
    return node(cards, strategy="time-slicing", replicas=8, **more)


def engine(size: float, *gpus: int, counter: str | None = None, name: str = NODE, **more: Any) -> Hold:
    """Return what an engine of another pool holds."""
    return Hold(
        holder="pool lab/other",
        what="b",
        node=name,
        gpus=gpus,
        bytes=int(size * GIB),
        counter=counter,
        pool=OTHER,
        **more,
    )


def stranger(counter: str = GPU, **more: Any) -> Hold:
    return Hold(holder="pod lab/notebook", what=f"1 {counter}", node=NODE, counter=counter, **more)


def pool(sharing: str, *models: dict[str, Any], count: int = 1, **more: Any) -> ModelPool:
    gpus = {"count": count, "sharing": sharing, **more.pop("gpus", {})}
    spec = {"nodeSelector": HERE, "ollama": {"enabled": False}, **more}
    return pool_of(*(models or (vllm("a", 0.8),)), gpus=gpus, **spec)


@dataclass(frozen=True, kw_only=True)
class Row:
    pool: ModelPool
    node: NodeView = field(default_factory=node)
    held: Sequence[Hold] = ()
    says: tuple[str, ...] = ()
    """Words of the refusal; none of a pool that is planned."""
    on: tuple[int, ...] = (0,)
    notes: str = ""


VISIBLE = pool("visibleDevices", count=2)
ROWS = {
    "visibleDevices: the other card is free": Row(pool=VISIBLE, node=node(2), held=[engine(19.7, 0)], on=(1,)),
    "visibleDevices: both cards are held": Row(
        pool=VISIBLE,
        node=node(2),
        held=[engine(19.7, 0), engine(4.9, 1)],
        says=("card 0 of node gpu-1 has 24.00Gi", "19.70Gi pool lab/other (b)", "card 1 of node gpu-1", "19.20Gi a"),
    ),
    "visibleDevices: a pin to the card that is held": Row(
        pool=pool("visibleDevices", vllm("a", 0.8, gpu=0), count=2),
        node=node(2),
        held=[engine(19.7, 0)],
        says=("pool lab/other (b)",),
    ),
    "visibleDevices: room beside the other": Row(
        pool=pool("visibleDevices", vllm("a", 0.2)), held=[engine(18, 0)], notes="in an order of their own"
    ),
    "visibleDevices: a stranger has one of two cards, and nobody knows which": Row(
        pool=VISIBLE, node=node(2), held=[stranger()], says=("pod lab/notebook (1 nvidia.com/gpu)", "24.00Gi")
    ),
    "visibleDevices: replicas of another pool may be on any card": Row(
        pool=VISIBLE, node=sliced(2), held=[engine(8, counter=GPU)], says=("pool lab/other (b)",)
    ),
    "visibleDevices: parts of other cards are no matter": Row(
        pool=VISIBLE, node=node(2), held=[stranger("nvidia.com/mig-3g.20gb")]
    ),
    "visibleDevices: the claim of another pool may be any card": Row(
        pool=VISIBLE, node=node(2), held=[engine(1, counter="gpu.nvidia.com", whole=True)], says=("pool lab/other",)
    ),
    "others are ignored where the pool says so": Row(
        pool=pool("visibleDevices", gpus={"others": "Ignore"}), held=[engine(19.7, 0)]
    ),
    "timeSlicing: one card, and another pool's replica on it": Row(
        pool=pool("timeSlicing"),
        node=sliced(),
        held=[engine(19.7, counter=GPU)],
        says=("card 0 of node gpu-1", "19.70Gi pool lab/other (b)"),
    ),
    "timeSlicing: one card with room for both": Row(
        pool=pool("timeSlicing", vllm("a", 0.2)),
        node=sliced(),
        held=[engine(18, counter=GPU)],
        notes="pools of two namespaces cannot share",
    ),
    "timeSlicing: a card that another pool is shown by its index": Row(
        pool=pool("timeSlicing"), node=sliced(2), held=[engine(19.7, 1)], says=("pool lab/other (b)",)
    ),
    "timeSlicing: a stranger of whom nobody knows what he takes": Row(
        pool=pool("timeSlicing", vllm("a", 0.2)), node=sliced(), held=[stranger()], says=("pod lab/notebook",)
    ),
    "timeSlicing: a stranger for whom there is a reserve": Row(
        pool=pool("timeSlicing", vllm("a", 0.2), gpus={"reserve": "4Gi"}),
        node=sliced(),
        held=[stranger()],
        notes="pod lab/notebook (1 nvidia.com/gpu) is on node gpu-1 too",
    ),
    "timeSlicing: two cards with room for both pools together": Row(
        pool=pool("timeSlicing"), node=sliced(2), held=[engine(19.7, counter=GPU)]
    ),
    "timeSlicing: two cards, and more than both are held": Row(
        pool=pool("timeSlicing"),
        node=sliced(2),
        held=[engine(19.7, counter=GPU), engine(12, counter=GPU)],
        says=("the 2 cards of node gpu-1 have 48.00Gi together, of which others hold 31.70Gi", "pool lab/other (b)"),
    ),
    "timeSlicing: nobody says how many cards there are": Row(
        pool=pool("timeSlicing"),
        node=NodeView(
            name=NODE, labels={**HERE, "nvidia.com/gpu.sharing-strategy": "time-slicing"}, resources={GPU: 8}
        ),
        held=[engine(19.7, counter=GPU)],
        says=("pool lab/other (b)",),
    ),
    "exclusive: the only card is a stranger's": Row(
        pool=pool("exclusive"), held=[stranger()], says=("card 0 of node gpu-1", "pod lab/notebook (1 nvidia.com/gpu)")
    ),
    "exclusive: one of two cards is a stranger's": Row(pool=pool("exclusive"), node=node(2), held=[stranger()]),
    "exclusive: both cards are others'": Row(
        pool=pool("exclusive"),
        node=node(2),
        held=[stranger(), engine(19.7, counter=GPU, whole=True)],
        says=("the 2 cards of node gpu-1", "pod lab/notebook", "pool lab/other (b)"),
    ),
    "exclusive: a card that another pool is shown by its index": Row(
        pool=pool("exclusive"), node=node(2), held=[engine(4, 1)], says=("pool lab/other (b)",)
    ),
    "dra: another claim has the only card": Row(
        pool=pool("dra"), held=[engine(0, counter="gpu.nvidia.com", whole=True)], says=("pool lab/other (b)",)
    ),
    "dra: another claim has one of two cards": Row(
        pool=pool("dra"), node=node(2), held=[engine(0, counter="gpu.nvidia.com", whole=True)]
    ),
    "dra: a card that another pool is shown by its index": Row(
        pool=pool("dra"), node=node(2), held=[engine(8, 1)], says=("pool lab/other (b)",)
    ),
    "hami: a slice of the only card": Row(
        pool=pool("hami"),
        node=node(has_hami=True),
        held=[Hold(holder="pod lab/notebook", what="50 %", node=NODE, counter="HAMi", percent=50)],
        says=("12.00Gi pod lab/notebook (50 %)",),
    ),
    "hami: room beside a slice": Row(
        pool=pool("hami", vllm("a", 0.4)),
        node=node(has_hami=True),
        held=[Hold(holder="pod lab/notebook", what="50 %", node=NODE, counter="HAMi", percent=50)],
    ),
    "hami: more slices than two cards have": Row(
        pool=pool("hami", count=2),
        node=node(2, has_hami=True),
        held=[engine(19.7, counter="HAMi"), engine(19.7, counter="HAMi")],
        says=("the 2 cards of node gpu-1", "39.40Gi"),
    ),
    "hami: a card that another pool is shown by its index": Row(
        pool=pool("hami"), node=node(2, has_hami=True), held=[engine(19.7, 1)], says=("pool lab/other (b)",)
    ),
    "hami: slices and a card that another pool is shown by its index may meet on one": Row(
        pool=pool("hami", vllm("a", 0.4)),
        node=node(2, has_hami=True),
        held=[engine(8, 1), Hold(holder="pod lab/notebook", node=NODE, counter="HAMi", percent=50)],
        says=("pool lab/other (b)", "pod lab/notebook"),
    ),
    "somebody on another node is no matter": Row(pool=VISIBLE, node=node(2), held=[engine(23, 0, name="gpu-2")]),
}


def planned(row: Row) -> Plan:
    others = Neighbours.of(row.held, [row.node, node(name="gpu-2")])
    return make_plan(row.pool, Observed(neighbours=others))


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_a_pool_goes_beside_others_or_is_told_who_holds_the_card(row: Row) -> None:
    plan = planned(row)
    if row.says:
        assert plan.refusal is not None, plan.placement
        assert (plan.refusal.reason, plan.refusal.passing) == ("CardHeld", True)
        assert all(words in plan.refusal.message for words in row.says), plan.refusal.message
        assert not plan
        return
    assert isinstance(plan.placement, Placement), plan.placement
    assert plan.placement.shares[0].gpus == row.on
    assert row.notes in "; ".join(plan.notes), plan.notes


def test_what_fits_nowhere_is_its_own_fault() -> None:
    plan = planned(Row(pool=pool("visibleDevices", vllm("a", 0.8), vllm("b", 0.8)), held=[engine(19.7, 0)]))
    assert plan.refusal is not None
    assert plan.refusal.reason == "CardOverfull"


def test_the_cards_arithmetic_names_others_and_adds_up() -> None:
    plan = planned(Row(pool=pool("visibleDevices", vllm("a", 0.2)), held=[engine(18, 0)]))
    assert isinstance(plan.placement, Placement)
    (card,) = plan.placement.cards
    assert [(term.label, term.bytes) for term in card.held] == [("pool lab/other (b)", 18 * GIB)]
    assert card.planned + card.reserve + card.free + 18 * GIB == card.memory


def test_a_spread_counts_what_others_hold() -> None:
    models = (vllm("a", 0.3), vllm("b", 0.2))
    plan = planned(Row(pool=pool("visibleDevices", *models, count=2), node=node(2), held=[engine(14, 0)]))
    assert isinstance(plan.placement, Placement)
    assert [share.gpus for share in plan.placement.shares] == [(1,), (1,)]


def standing(
    one: ModelPool,
    *,
    node: str = NODE,
    ready: bool = False,
    trouble: str = "",
    status: dict[str, Any] | None = None,
) -> Observed:
    """Return what is observed of a pool whose engines all have pods on a node, or one trouble or another."""
    if status is None:
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
    if trouble == "Unschedulable":
        status = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": trouble}]}
    elif trouble:
        ended = {"terminated": {"exitCode": 1, "reason": "Error"}}
        status["containerStatuses"] = [
            {"name": "vllm", "restartCount": 2, "state": {"waiting": {"reason": trouble}}, "lastState": ended}
        ]
    observed = settled(one)
    pods = []
    for child in observed.children.values():
        if child["kind"] == "Deployment":
            template = child["spec"]["template"]
            manifest = {
                "metadata": {"name": f"{child['metadata']['name']}-0", **template["metadata"]},
                "spec": {**template["spec"], "nodeName": node},
                "status": status,
            }
            pods.append(PodView.from_manifest(manifest))
    return replace(observed, pods=tuple(pods))


def test_a_pool_that_runs_keeps_its_place_whoever_comes_and_is_told() -> None:
    one = pool("visibleDevices", vllm("a", 0.4), vllm("b", 0.4))
    others = Neighbours.of([engine(19.7, 0)], [node()])
    observed = replace(standing(one), neighbours=others)
    plan = make_plan(one, observed)
    assert isinstance(plan.placement, Placement), plan.placement
    assert not plan.apply
    (card,) = plan.placement.cards
    assert card.free < 0


@pytest.mark.parametrize("sharing", ["visibleDevices", "timeSlicing", "exclusive", "hami", "dra"])
def test_a_pool_that_runs_may_shrink_beside_others_and_not_grow(sharing: str) -> None:
    fractions = {name: vllm("a", size) for name, size in (("as it is", 0.4), ("less", 0.3), ("more", 0.5))}
    others = Neighbours.of(
        [engine(16, 0) if sharing == "visibleDevices" else engine(16, counter="else")], [node(has_hami=True)]
    )
    observed = replace(standing(pool(sharing, fractions["as it is"])), neighbours=others)
    for name, model in fractions.items():
        plan = make_plan(pool(sharing, model), observed)
        refused = name == "more" and sharing != "exclusive"
        assert (plan.refusal is not None) == refused, (name, plan.placement)


def test_a_pool_that_may_be_on_several_nodes_is_told_of_those_without_room() -> None:
    nodes = [replace(node(name=name), labels={**node(name=name).labels, "gpu": "yes"}) for name in ("gpu-1", "gpu-2")]
    one = pool_of(vllm("a", 0.8), gpus={"sharing": "visibleDevices"}, nodeSelector={"gpu": "yes"})
    on_first = make_plan(one, Observed(neighbours=Neighbours.of([engine(19.7, 0)], nodes)))
    assert isinstance(on_first.placement, Placement)
    assert "a node that the pool may be put on is full: card 0 of node gpu-1" in "; ".join(on_first.notes)
    both = [engine(19.7, 0), engine(19.7, 0, name="gpu-2")]
    on_none = make_plan(one, Observed(neighbours=Neighbours.of(both, nodes)))
    assert on_none.refusal is not None
    assert "no node has room: card 0 of node gpu-1" in on_none.refusal.message


def test_a_node_that_may_not_be_looked_at_is_known_by_the_pools_selector() -> None:
    plan = make_plan(pool("visibleDevices"), Observed(neighbours=Neighbours.of([engine(19.7, 0)])))
    assert plan.refusal is not None
    assert "card 0 of node gpu-1" in plan.refusal.message


def test_pools_that_share_the_volume_of_the_locks_start_in_one_order() -> None:
    one = pool("visibleDevices", vllm("a", 0.2), cache={"existingClaim": "weights"})
    hold = replace(engine(10, 0), pool=ObjectRef("llm", "other"))
    told = {
        claim: "; ".join(
            make_plan(one, Observed(neighbours=Neighbours.of([hold], [node()], locks={hold.pool: claim}))).notes
        )
        for claim in ("llm/weights", "llm/other-cache")
    }
    assert "order of their own" not in told["llm/weights"]
    assert "give both pools one `cache.existingClaim`" in told["llm/other-cache"]


def test_the_overhead_that_ollama_is_told_does_not_follow_others() -> None:
    one = pool("visibleDevices", vllm("a", 0.2), ollama={"gpuMemory": "4Gi"})
    alone, beside = (
        make_plan(one, Observed(neighbours=Neighbours.of(held, [node()]))) for held in ([], [engine(8, 0)])
    )
    deployments = [
        next(child for child in plan.apply if child["metadata"]["name"] == "agentic-ollama") for plan in (alone, beside)
    ]
    assert deployments[0] == deployments[1]


@pytest.mark.parametrize("held", [stranger(), engine(4, counter=GPU)], ids=["a stranger", "another pool"])
def test_an_ollama_that_does_not_say_what_it_has_of_its_card_keeps_it(held: Hold) -> None:
    """Its Deployment, made before there were such annotations, stands on a card by its label alone."""
    one = pool("timeSlicing", vllm("a", 0.5), ollama("llama3.2:3b"), ollama={"gpuMemory": "8Gi"})
    children = {ref: deepcopy(live) for ref, live in settled(one).children.items()}
    wanted = ("Deployment", names.ollama_name(one.ref.name))
    described = next(live for ref, live in children.items() if (ref.kind, ref.name) == wanted)
    observed = Observed(children=children, neighbours=Neighbours.of([held], [node()]))
    for before in (True, False):
        plan = make_plan(one, observed)
        assert plan.refusal is None, (before, plan.refusal)
        for annotation in (names.CARD_ANNOTATION, names.MEMORY_ANNOTATION):
            described["metadata"]["annotations"].pop(annotation, None)


def test_an_engine_whose_deployment_was_deleted_is_made_again_where_its_pod_stands() -> None:
    one = pool("timeSlicing", vllm("a", 0.4), vllm("b", 0.4))
    seen = replace(standing(one, ready=True), neighbours=Neighbours.of([stranger()], [node()]))
    children = {
        ref: live
        for ref, live in seen.children.items()
        if (ref.kind, live["metadata"]["name"][-2:]) != ("Deployment", "-b")
    }
    assert len(children) < len(seen.children)
    plan = make_plan(one, replace(seen, children=children))
    assert plan.refusal is None
    assert [child["metadata"]["name"] for child in plan.apply if child["kind"] == "Deployment"] == ["agentic-b"]
    assert make_plan(one, replace(seen, children=children, pods=())).refusal is not None


def test_a_node_that_does_not_say_how_many_cards_it_has_is_told_where_that_refuses_a_pool() -> None:
    unlabelled = NodeView(name=NODE, labels=HERE, gpu_memory=24 * GIB, resources={GPU: 4})
    one, held = pool("timeSlicing", vllm("a", 0.8)), engine(20, counter=GPU)
    refusal = make_plan(one, Observed(neighbours=Neighbours.of([held], [unlabelled]))).refusal
    assert refusal is not None
    assert "pool lab/other" in refusal.message
    assert (
        "node gpu-1 offers 4 of nvidia.com/gpu and does not say whether these are cards or replicas" in refusal.message
    )
    assert "nvidia.com/gpu.count" in refusal.message
    for known in (node(4), node(1)):
        found = make_plan(one, Observed(neighbours=Neighbours.of([held], [known]))).refusal
        assert found is None or "does not say" not in found.message
