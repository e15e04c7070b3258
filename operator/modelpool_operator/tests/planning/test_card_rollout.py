"""A change of all engines goes card by card: who is changed first, who waits, and for whom nobody waits."""

import copy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.changes.admission import altered_in, as_asked
from modelpool_operator.planning.changes.plan import Plan, make_plan
from modelpool_operator.planning.objects.identity import Manifest, ref_of
from modelpool_operator.planning.observation.installation import Installation
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.planning.reporting.status import assess
from modelpool_operator.tests.planning.pools import after, pool_of, settled, two_cards, vllm

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NEW = "vllm/vllm-openai:new"
MODELS = (vllm("a", 0.4, gpu=0), vllm("b", 0.4, gpu=0), vllm("c", 0.8, gpu=1))
READY = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}
LOADING = {"phase": "Running", "containerStatuses": [{"name": "vllm", "state": {"running": {}}}]}
NO_IMAGE = {"containerStatuses": [{"name": "vllm", "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}]}


def pool(*models: dict[str, Any], image: str = "vllm/vllm-openai:old", **spec: Any) -> ModelPool:
    return pool_of(*(models or MODELS), vllm={"image": image}, ollama={"enabled": False}, **{**two_cards(), **spec})


UPGRADED = pool(image=NEW)


def pod_of(deployment: Manifest, status: dict[str, Any], **metadata: Any) -> PodView:
    """Return the pod that a Deployment's template makes."""
    template = deployment["spec"]["template"]
    name = f"{deployment['metadata']['name']}-x"
    return PodView.from_manifest({"metadata": {**template["metadata"], "name": name, **metadata}, "status": status})


def deployment(observed: Observed, model: str) -> Manifest:
    found = observed.child("Deployment", f"agentic-{model}")
    assert found is not None
    return found


def running(before: ModelPool, **pods: dict[str, Any]) -> Observed:
    """Return what is observed of a settled pool: all its engines answer, but those of which another status is told."""
    observed = settled(before)
    for live in (deployment(observed, model.name) for model in before.spec.models):
        live["metadata"]["generation"] = 1
        complete = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
        live["status"] = {"observedGeneration": 1, "updatedReplicas": 1, "conditions": [complete]}
    return with_pods(observed, before, pods)


def with_pods(observed: Observed, of: ModelPool, pods: dict[str, dict[str, Any]]) -> Observed:
    made = (pod_of(deployment(observed, one.name), pods.get(one.name, READY)) for one in of.spec.models)
    return Observed(children=observed.children, pods=tuple(made))


def rolled(observed: Observed, plan: Plan, of: ModelPool, *, seen: bool = True, **pods: dict[str, Any]) -> Observed:
    """Return what is observed some time after a plan: by a Deployment controller that has seen it, or has not yet."""
    changed = {one["metadata"]["name"] for one in plan.apply if one["kind"] == "Deployment"}
    now = after(observed, plan)
    for live in (deployment(now, model.name) for model in of.spec.models):
        name = live["metadata"]["name"]
        before = observed.child("Deployment", name)
        assert before is not None
        live["metadata"]["generation"] = before["metadata"]["generation"] + (name in changed)
        live["status"] = dict(before["status"])
        answers = pods.get(name.removeprefix("agentic-"), READY) is READY
        if seen:
            reason = "NewReplicaSetAvailable" if answers or name not in changed else "ReplicaSetUpdated"
            conditions = [{"type": "Progressing", "status": "True", "reason": reason}]
            live["status"] |= {"observedGeneration": live["metadata"]["generation"], "conditions": conditions}
    return with_pods(now, of, pods)


def applied(plan: Plan) -> list[str]:
    return sorted(one["metadata"]["name"].removeprefix("agentic-") for one in plan.apply if one["kind"] == "Deployment")


def test_an_upgrade_begins_with_the_first_card() -> None:
    plan = make_plan(UPGRADED, running(pool()))
    assert applied(plan) == ["a", "b"]
    assert plan.rollout_waits == ("c: is changed once a on card 0 answers with the change",)


def test_the_next_card_waits_until_all_engines_of_the_first_answer() -> None:
    observed = running(pool())
    begun = rolled(observed, make_plan(UPGRADED, observed), UPGRADED, b=LOADING)
    plan = make_plan(UPGRADED, begun)
    assert applied(plan) == []
    assert plan.rollout_waits == ("c: is changed once b on card 0 answers with the change",)
    done = rolled(observed, make_plan(UPGRADED, observed), UPGRADED)
    assert applied(make_plan(UPGRADED, done)) == ["c"]
    assert make_plan(UPGRADED, done).rollout_waits == ()


def test_pods_that_have_not_been_told_to_end_do_not_count_as_changed() -> None:
    observed = running(pool())
    unseen = rolled(observed, make_plan(UPGRADED, observed), UPGRADED, seen=False)
    old = tuple(pod for pod in observed.pods if pod.model in ("a", "b"))
    plan = make_plan(UPGRADED, Observed(children=unseen.children, pods=(*old, unseen.pods[2])))
    assert (applied(plan), len(plan.rollout_waits)) == ([], 1)


def test_an_engine_that_drains_is_waited_for_although_its_deployment_counts_as_complete() -> None:
    observed = running(pool())
    draining = rolled(observed, make_plan(UPGRADED, observed), UPGRADED)
    for model in "ab":
        deployment(draining, model)["status"]["updatedReplicas"] = 0
    plan = make_plan(UPGRADED, Observed(children=draining.children, pods=(draining.pods[2],)))
    assert (applied(plan), len(plan.rollout_waits)) == ([], 1)


def test_an_image_that_does_not_work_takes_one_card_down_and_the_status_says_so() -> None:
    observed = running(pool())
    stuck = rolled(observed, make_plan(UPGRADED, observed), UPGRADED, a=NO_IMAGE, b=NO_IMAGE)
    plan = make_plan(UPGRADED, stuck)
    assert applied(plan) == []
    status = assess(UPGRADED, stuck, plan, previous=None, now=NOW)
    found = {one.type: one for one in status.conditions}
    assert found["Progressing"].reason == "CardByCard"
    assert found["Progressing"].message == "c: is changed once a on card 0 answers with the change"
    assert found["Ready"].reason == "ImagePullBackOff"

    right = pool(image="vllm/vllm-openai:right")
    assert applied(make_plan(right, stuck)) == ["a", "b"], "who is down already is set right at once, and comes first"
    assert len(make_plan(right, stuck).rollout_waits) == 1
    back = make_plan(pool(), stuck)
    assert (applied(back), back.rollout_waits) == (["a", "b"], ())


def test_an_engine_that_fails_by_itself_holds_up_nobody_elses_change() -> None:
    """Somebody broke `a`, whose card has only itself to blame; then `c` is edited."""
    observed = running(pool())
    broken = pool(vllm("a", 0.4, gpu=0, args=["--nonsense"]), *MODELS[1:])
    failed = rolled(observed, make_plan(broken, observed), broken, a=NO_IMAGE)
    edited = pool(vllm("a", 0.4, gpu=0, args=["--nonsense"]), MODELS[1], vllm("c", 0.7, gpu=1))
    assert applied(make_plan(edited, failed)) == ["c"]


@pytest.mark.parametrize("how", ["refused", "fought_over"])
def test_an_engine_whose_change_is_refused_or_undone_holds_up_nobody_elses(how: str) -> None:
    observed = running(pool())
    refs = {ref_of(one): "denied" for one in make_plan(UPGRADED, observed).apply if one["kind"] == "Deployment"}
    assert len(refs) == 2
    stuck = replace(observed, refused=refs) if how == "refused" else replace(observed, fought_over=frozenset(refs))
    plan = make_plan(UPGRADED, stuck)
    assert (applied(plan), plan.rollout_waits) == (["a", "b", "c"], ())


def test_nobody_waits_for_an_engine_that_is_stopped() -> None:
    observed = running(pool())
    stopped = pool(vllm("a", 0.4, gpu=0, replicas=0), *MODELS[1:], image=NEW)
    begun = rolled(observed, make_plan(stopped, observed), stopped, a=LOADING)
    assert applied(make_plan(stopped, begun)) == ["c"]


def test_an_engine_that_was_given_another_image_by_somebody_else_holds_up_nobody() -> None:
    observed = running(pool())
    stuck = rolled(observed, make_plan(UPGRADED, observed), UPGRADED, a=LOADING)
    deployment(stuck, "a")["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    assert applied(make_plan(UPGRADED, stuck)) == ["a", "c"]


@pytest.mark.parametrize("status", [LOADING, NO_IMAGE])
def test_nobody_waits_for_an_engine_that_is_not_being_replaced(status: dict[str, Any]) -> None:
    """It starts for the first time, or has crashed."""
    observed = running(pool(), a=status)
    edited = pool(*MODELS[:2], vllm("c", 0.7, gpu=1))
    assert applied(make_plan(edited, observed)) == ["c"]


def test_an_engine_that_does_not_answer_is_changed_at_once() -> None:
    plan = make_plan(UPGRADED, running(pool(), c=LOADING))
    assert (applied(plan), plan.rollout_waits) == (["a", "b", "c"], ())


def test_a_card_that_is_down_tries_an_image_before_the_card_that_answers_gets_it() -> None:
    plan = make_plan(UPGRADED, running(pool(), a=NO_IMAGE, b=NO_IMAGE))
    assert (applied(plan), len(plan.rollout_waits)) == (["a", "b"], 1)


def test_an_engine_over_both_cards_joins_them() -> None:
    models = (vllm("a", 0.3, gpu=0), vllm("wide", 0.5, tensorParallelSize=2), vllm("c", 0.3, gpu=1))
    plan = make_plan(pool(*models, image=NEW), running(pool(*models)))
    assert (applied(plan), plan.rollout_waits) == (["a", "c", "wide"], ())


@pytest.mark.parametrize(
    "moved",
    [
        pool(image=NEW, nodeSelector={"kubernetes.io/hostname": "gpu-2"}),
        pool(image=NEW, tolerations=[{"key": "gpu", "operator": "Exists"}]),
        pool(MODELS[0], vllm("b", 0.1, gpu=1), MODELS[2], image=NEW),
    ],
    ids=["another node", "other tolerations", "another card"],
)
def test_engines_that_stand_together_move_together(moved: ModelPool) -> None:
    plan = make_plan(moved, running(pool()))
    assert (applied(plan), plan.rollout_waits) == (["a", "b", "c"], ())


def test_one_card_has_no_turns() -> None:
    models = (vllm("a", 0.4), vllm("b", 0.4))
    alone: dict[str, Any] = {"gpus": {"memory": "24Gi"}, "nodeSelector": {}}
    plan = make_plan(pool(*models, image=NEW, **alone), running(pool(*models, **alone)))
    assert (applied(plan), plan.rollout_waits) == (["a", "b"], ())


@pytest.mark.parametrize(
    ("before", "later", "gone"),
    [("old-mark", "new-mark", "abc"), ("old-mark", None, "abc"), (None, "new-mark", "ab")],
    ids=["another key", "no key any more", "the first key"],
)
def test_engines_that_answer_gateways_no_more_go_at_once(before: str | None, later: str | None, gone: str) -> None:
    observed = running(pool())
    if before is not None:
        keyed = make_plan(pool(), replace(observed, children={}, installation=Installation(key_mark=before)))
        for live in (deployment(observed, model["name"]) for model in MODELS):
            (wanted,) = (
                one
                for one in keyed.apply
                if one["metadata"]["name"] == live["metadata"]["name"] and one["kind"] == "Deployment"
            )
            live["spec"] = copy.deepcopy(wanted["spec"])
        observed = with_pods(observed, pool(), {})
    plan = make_plan(pool(), replace(observed, installation=Installation(key_mark=later)))
    assert applied(plan) == list(gone)


def rewritten(observed: Observed) -> Observed:
    """Return what an admission makes of the Deployments: another registry, and requests where there were none."""
    children = copy.deepcopy(dict(observed.children))
    for live in children.values():
        if live["kind"] == "Deployment":
            (container,) = live["spec"]["template"]["spec"]["containers"]
            container["image"] = f"registry.example.com/{container['image']}"
            container["resources"] = {**container.get("resources", {}), "requests": {"memory": "1Gi"}}
    return replace(observed, children=children)


def test_resources_that_admission_adds_move_nobody() -> None:
    """Of an operator that has just started, too, which does not know of it."""
    plain, changed = make_plan(UPGRADED, running(pool())), make_plan(UPGRADED, rewritten(running(pool())))
    assert plain.rollout_waits
    assert (applied(plain), plain.rollout_waits) == (applied(changed), changed.rollout_waits)


def test_a_card_in_trouble_holds_up_no_other_change_where_admission_rewrites_images() -> None:
    observed = running(pool())
    broken = pool(vllm("a", 0.4, gpu=0, args=["--nonsense"]), *MODELS[1:])
    failed = rolled(observed, make_plan(broken, observed), broken, a=NO_IMAGE)
    stored = rewritten(failed)
    view = {
        ref: as_asked(live, altered_in(failed.children[ref], live, trimmed=False))
        for ref, live in stored.children.items()
    }
    edited = pool(vllm("a", 0.4, gpu=0, args=["--nonsense"]), MODELS[1], vllm("c", 0.7, gpu=1))
    assert applied(make_plan(edited, replace(stored, children=view))) == ["c"]
