"""What a plan changes, for pools in every condition; and that it changes nothing twice."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.changes.adoption import is_orphan
from modelpool_operator.planning.changes.plan import make_plan
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.objects.identity import ChildRef, ref_of
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement.pool_placement import settled_cards
from modelpool_operator.planning.sharing.inventory import Inventory, NodeView
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.planning.pools import after, ollama, pool_of, refused, settled, two_cards, vllm

QWEN = vllm("qwen3:8b", 0.35, source="hf://Qwen/Qwen3-8B-AWQ", contextLength=4096)
POOL = pool_of(QWEN, ollama("cogito:8b"))
QWEN_DEPLOYMENT = ChildRef("apps/v1", "Deployment", "agentic-qwen3-8b")
OLLAMA_DEPLOYMENT = ChildRef("apps/v1", "Deployment", "agentic-ollama")
OLLAMA_VOLUME = ChildRef("v1", "PersistentVolumeClaim", "agentic-ollama")


def edited(ref: ChildRef, edit: Callable[[dict[str, Any]], object], pool: ModelPool = POOL) -> Observed:
    """Return a settled pool's children, one of them edited by hand."""
    observed = settled(pool)
    children = {**observed.children, ref: deepcopy(observed.children[ref])}
    edit(children[ref])
    return replace(observed, children=children)


def without(observed: Observed, *gone: ChildRef) -> Observed:
    return replace(observed, children={ref: live for ref, live in observed.children.items() if ref not in gone})


def pull(model: str, volume_uid: str = "uid-agentic-ollama") -> str:
    return f"Job {names.pull_name('agentic', model, volume_uid)}"


def container(live: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = live["spec"]["template"]["spec"]["containers"][0]
    return found


@dataclass(frozen=True, kw_only=True)
class Case:
    observed: Observed
    pool: ModelPool = POOL
    apply: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()


CASES = {
    "a new pool gets everything but pulls, which wait for a volume and a server": Case(
        observed=Observed(),
        apply=(
            "PersistentVolumeClaim agentic-cache",
            "PersistentVolumeClaim agentic-ollama",
            "ConfigMap agentic-scripts",
            "Service agentic-qwen3-8b",
            "Service agentic-ollama",
            "Deployment agentic-ollama",
            "Deployment agentic-qwen3-8b",
            "ConfigMap agentic-routes",
        ),
    ),
    "pulls wait while Ollama is down": Case(
        observed=after(Observed(), make_plan(POOL, Observed()), available=False),
    ),
    "pulls start when Ollama is up": Case(
        observed=after(Observed(), make_plan(POOL, Observed())),
        apply=(pull("qwen3:8b"), pull("cogito:8b")),
    ),
    "a settled pool stays as it is": Case(observed=settled(POOL)),
    "a deleted Service comes back": Case(
        observed=without(settled(POOL), ChildRef("v1", "Service", "agentic-ollama")),
        apply=("Service agentic-ollama",),
    ),
    "a flag edited by hand is put back": Case(
        observed=edited(QWEN_DEPLOYMENT, lambda live: container(live)["args"].append("--enforce-eager")),
        apply=("Deployment agentic-qwen3-8b",),
    ),
    "an image edited by hand is put back": Case(
        observed=edited(QWEN_DEPLOYMENT, lambda live: container(live).update(image="vllm/vllm-openai:nightly")),
        apply=("Deployment agentic-qwen3-8b",),
    ),
    "a variable removed by hand is put back": Case(
        observed=edited(QWEN_DEPLOYMENT, lambda live: container(live)["env"].pop()),
        apply=("Deployment agentic-qwen3-8b",),
    ),
    "somebody else's variable is left alone": Case(
        observed=edited(QWEN_DEPLOYMENT, lambda live: container(live)["env"].append({"name": "TEAM", "value": "x"})),
    ),
    "somebody else's label is left alone": Case(
        observed=edited(QWEN_DEPLOYMENT, lambda live: live["metadata"]["labels"].update(team="x")),
    ),
    "a quantity in the API server's spelling is the same": Case(
        pool=pool_of(QWEN, vllm={"shmSize": "2048Mi", "resources": {"requests": {"cpu": "0.5"}}}),
        observed=edited(
            QWEN_DEPLOYMENT,
            lambda live: (
                container(live)["resources"]["requests"].update(cpu="500m"),
                live["spec"]["template"]["spec"]["volumes"][2]["emptyDir"].update(sizeLimit="2Gi"),
            ),
            pool_of(QWEN, vllm={"shmSize": "2048Mi", "resources": {"requests": {"cpu": "0.5"}}}),
        ),
    ),
    "a claim grows": Case(
        pool=pool_of(QWEN, ollama("cogito:8b"), cache={"size": "200Gi"}),
        observed=settled(POOL),
        apply=("PersistentVolumeClaim agentic-cache",),
    ),
    "a claim never shrinks": Case(
        pool=pool_of(QWEN, ollama("cogito:8b"), cache={"size": "20Gi"}),
        observed=settled(POOL),
    ),
    "a model that is taken away takes its children along, its volume stays": Case(
        pool=pool_of(QWEN, ollama={"enabled": False}),
        observed=settled(pool_of(QWEN)),
        apply=("ConfigMap agentic-routes",),
        delete=(
            "Deployment agentic-ollama",
            pull("qwen3:8b"),
            "Service agentic-ollama",
        ),
    ),
    "a new volume of Ollama's gets its models again": Case(
        observed=edited(OLLAMA_VOLUME, lambda live: live["metadata"].update(uid="another")),
        apply=(pull("qwen3:8b", "another"), pull("cogito:8b", "another")),
        delete=(pull("cogito:8b"), pull("qwen3:8b")),
    ),
    "a child that is being deleted is waited for": Case(
        observed=edited(
            QWEN_DEPLOYMENT, lambda live: live["metadata"].update(deletionTimestamp="2026-11-22T11:00:00Z")
        ),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_plan(case: Case) -> None:
    plan = make_plan(case.pool, case.observed)
    assert tuple(str(ref_of(manifest)) for manifest in plan.apply) == case.apply
    assert tuple(str(ref) for ref in plan.delete) == tuple(sorted(case.delete))
    assert bool(plan) == bool(case.apply or case.delete)
    assert len(plan.reasons) == len(plan.apply) + len(plan.delete)


REASONS = {
    "absent": (without(settled(POOL), QWEN_DEPLOYMENT), POOL, "Deployment agentic-qwen3-8b: is absent"),
    "edited": (
        edited(QWEN_DEPLOYMENT, lambda live: live["spec"].update(replicas=3)),
        POOL,
        "Deployment agentic-qwen3-8b: /spec/replicas was changed by somebody else",
    ),
    "another spec": (
        settled(POOL),
        pool_of({**QWEN, "replicas": 0}, ollama("cogito:8b")),
        "Deployment agentic-qwen3-8b: the pool wants /spec/replicas changed",
    ),
    "another version of the operator": (
        edited(QWEN_DEPLOYMENT, lambda live: live["metadata"]["annotations"].pop(names.APPLIED_ANNOTATION)),
        POOL,
        "Deployment agentic-qwen3-8b: was not applied by this version",
    ),
}


@pytest.mark.parametrize(("observed", "pool", "reason"), REASONS.values(), ids=REASONS.keys())
def test_a_change_says_why(observed: Observed, pool: ModelPool, reason: str) -> None:
    assert reason in make_plan(pool, observed).reasons


def test_a_refusal_touches_nothing() -> None:
    plan = make_plan(pool_of(vllm("other", 0.99)), settled(POOL))
    assert plan.refusal == refused(vllm("other", 0.99))
    assert (plan.apply, plan.delete) == ((), ())


def test_a_running_model_keeps_its_card_when_another_comes() -> None:
    first = pool_of(vllm("a", 0.4), vllm("b", 0.3), **two_cards())
    observed = settled(first)
    before = settled_cards(observed)
    plan = make_plan(pool_of(vllm("a", 0.4), vllm("b", 0.3), vllm("c", 0.5), **two_cards()), observed)
    assert isinstance(plan.placement, Placement)
    assert {share.model: share.gpus for share in plan.placement.shares} == {**before, "c": before["b"]}
    assert not [ref_of(manifest) for manifest in plan.apply if ref_of(manifest).name in ("agentic-a", "agentic-b")]


def test_the_smallest_card_of_the_nodes_that_fit_is_counted_with() -> None:
    nodes = (
        NodeView(name="a", labels={"zone": "1"}, gpu_memory=24 << 30),
        NodeView(name="b", labels={"zone": "1"}, gpu_memory=12 << 30),
        NodeView(name="c", labels={"zone": "2"}, gpu_memory=8 << 30),
    )
    pool = pool_of(vllm("a", 0.5), gpus={"memory": None}, nodeSelector={"zone": "1"})
    found = make_plan(pool, Observed(inventory=Inventory(nodes=nodes))).placement
    assert isinstance(found, Placement)
    assert found.cards[0].memory == 12 << 30


def test_without_a_size_nothing_is_planned() -> None:
    plan = make_plan(pool_of(vllm("a", 0.5), gpus={"memory": None}), Observed())
    assert plan.refusal is not None
    assert plan.refusal.reason == "CardMemoryUnknown"


def test_everything_is_owned_labelled_and_in_the_pools_namespace() -> None:
    for manifest in make_plan(POOL, Observed()).apply:
        metadata = manifest["metadata"]
        (owner,) = metadata["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("ModelPool", POOL.uid, True)
        assert metadata["namespace"] == "llm"
        assert metadata["labels"][names.POOL_LABEL] == "agentic"
        assert metadata["labels"][names.MANAGED_BY_LABEL] == names.MANAGED_BY


def test_a_deployments_selector_survives_every_change_of_its_model() -> None:
    changed = {**QWEN, "gpuMemoryFraction": 0.5, "aliases": ["qwen"], "contextLength": 2048, "replicas": 2}
    selectors = [
        manifest["spec"]["selector"]
        for pool in (POOL, pool_of(changed, vllm={"image": "other"}))
        for manifest in make_plan(pool, Observed()).apply
        if ref_of(manifest) == QWEN_DEPLOYMENT
    ]
    assert selectors[0] == selectors[1]


FIELDS: tuple[dict[str, Any], ...] = ({}, {"replicas": 2}, {"fallback": {"enabled": False}}, {"aliases": ["other"]})
SPECS: tuple[dict[str, Any], ...] = (
    {},
    two_cards("24Gi"),
    {"ollama": {"gpuMemory": "2Gi"}},
    {"cache": {"size": "1Gi"}},
)


@st.composite
def pools(draw: st.DrawFn) -> ModelPool:
    models = []
    for number in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            models.append(ollama(f"o{number}", source=f"ollama://o{draw(st.integers(0, 1))}"))
        else:
            models.append(vllm(f"v{number}", draw(st.integers(5, 40)) / 100, **draw(st.sampled_from(FIELDS))))
    return pool_of(*models, **draw(st.sampled_from(SPECS)))


@settings(deadline=None, max_examples=60)
@given(pools(), pools())
def test_a_plan_carried_out_leaves_nothing_to_do(first: ModelPool, second: ModelPool) -> None:
    observed = Observed()
    for pool in (first, second):
        for _ in range(3):
            observed = after(observed, make_plan(pool, observed))
        plan = make_plan(pool, observed)
        assert not plan, plan.reasons


def test_what_is_added_to_a_child_is_taken_out_and_nothing_is_applied_for_it() -> None:
    def select(live: dict[str, Any]) -> None:
        live["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
        fields: dict[str, Any] = {"f:spec": {"f:template": {"f:spec": {"f:nodeSelector": {}}}}}
        live["metadata"]["managedFields"] = [{"manager": "carol", "fieldsV1": fields}]

    plan = make_plan(POOL, edited(QWEN_DEPLOYMENT, select))
    assert plan.apply == ()
    assert [trim.ref for trim in plan.trims] == [QWEN_DEPLOYMENT]
    assert plan.reasons == ("Deployment agentic-qwen3-8b: /spec/template/spec/nodeSelector was added by somebody else",)


@pytest.mark.parametrize("other", [pool_of(QWEN, ollama("cogito:8b"), podLabels={"team": "x"}), POOL])
def test_what_a_pool_of_the_name_left_behind_is_taken_up(other: ModelPool) -> None:
    """Every kind of it, with what the pool wants otherwise, and what it does not want any more goes."""
    observed = settled(POOL)
    for live in (children := deepcopy(dict(observed.children))).values():
        live["metadata"].pop("ownerReferences")
        live["metadata"]["resourceVersion"] = "7"
        live["metadata"]["managedFields"] = [{"manager": names.FIELD_MANAGER, "operation": "Apply"}]
        if live["kind"] == "Job":
            live["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    leftover = {**children[QWEN_DEPLOYMENT], "metadata": {**children[QWEN_DEPLOYMENT]["metadata"], "name": "left"}}
    observed = replace(observed, children={**children, ref_of(leftover): leftover})
    plan = make_plan(other, observed)
    assert plan.changed.keys() == children.keys()
    assert plan.delete == (ref_of(leftover),)
    adopted = [trim for trim in plan.trims if trim.ref.kind == "Job"]
    assert adopted
    assert all(trim.patch[1]["value"][0]["uid"] == POOL.uid for trim in adopted)
    assert not [one for one in plan.apply if one["kind"] == "Job"]


@pytest.mark.parametrize("manager", [None, "kubectl-create", "kubectl-client-side-apply"])
def test_a_copy_of_a_child_that_somebody_made_is_nobodys(manager: str | None) -> None:
    live = deepcopy(settled(POOL).children[QWEN_DEPLOYMENT])
    live["metadata"].pop("ownerReferences")
    live["metadata"]["managedFields"] = [] if manager is None else [{"manager": manager, "operation": "Update"}]
    assert not is_orphan(live)
    live["metadata"]["managedFields"].append({"manager": names.FIELD_MANAGER, "operation": "Apply"})
    assert is_orphan(live)


PINNED = {"kubernetes.io/hostname": "gpu-1"}


def test_ollama_stays_on_its_card_when_its_neighbours_are_settled() -> None:
    wide = vllm("wide", 0.05, tensorParallelSize=2)
    cards = {"sharing": "visibleDevices", "count": 3, "placement": "pack"}
    pool = pool_of(wide, vllm("large", 0.89), gpus=cards, nodeSelector=PINNED, ollama={"gpuMemory": "1Gi"})
    observed, seen = Observed(), []
    for _ in range(3):
        plan = make_plan(pool, observed)
        seen.append(cards_of(plan.placement))
        observed = after(observed, plan)
    assert seen == [seen[0]] * 3


def cards_of(placement: Placement | Refusal) -> dict[str, tuple[int, ...]]:
    assert isinstance(placement, Placement)
    return {share.model: share.gpus for share in placement.shares}


def test_ollama_moves_before_an_engine_does() -> None:
    def wanted(fraction: float) -> ModelPool:
        return pool_of(
            vllm("a", 0.5), vllm("b", fraction),
            gpus={"sharing": "visibleDevices", "count": 2}, nodeSelector=PINNED, ollama={"gpuMemory": "4Gi"},
        )  # fmt: skip

    observed = after(Observed(), make_plan(wanted(0.3), Observed()))
    first = cards_of(make_plan(wanted(0.3), observed).placement)
    assert first["ollama"] == first["b"] != first["a"]
    assert cards_of(make_plan(wanted(0.9), observed).placement) == {**first, "ollama": first["a"]}
