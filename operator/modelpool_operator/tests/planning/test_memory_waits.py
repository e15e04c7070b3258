"""Shrinking one engine while another grows: who is applied at once, who waits, and that nobody waits for ever."""

from typing import Any

from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.changes.plan import Plan, make_plan
from modelpool_operator.planning.objects.identity import Manifest
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.tests.planning.pools import after, pool_of, settled, two_cards, vllm

ALONE: dict[str, Any] = {"ollama": {"enabled": False}}


def pod_of(deployment: Manifest, **status: Any) -> PodView:
    """Return the pod that a Deployment's template makes."""
    template = deployment["spec"]["template"]
    name = f"{deployment['metadata']['name']}-x"
    return PodView.from_manifest({"metadata": {**template["metadata"], "name": name, **status}})


def running(pool: ModelPool) -> Observed:
    """Return what is observed once a pool is settled and its engines run."""
    observed = settled(pool)
    pods = tuple(pod_of(live) for ref, live in observed.children.items() if ref.kind == "Deployment")
    return Observed(children=observed.children, pods=pods)


def applied(plan: Plan) -> list[str]:
    return [one["metadata"]["name"].removeprefix("agentic-") for one in plan.apply if one["kind"] == "Deployment"]


BEFORE = pool_of(vllm("a", 0.6), vllm("b", 0.3), **ALONE)
SWAPPED = pool_of(vllm("a", 0.3), vllm("b", 0.6), **ALONE)


def test_who_grows_waits_for_who_shrinks() -> None:
    plan = make_plan(SWAPPED, running(BEFORE))
    assert applied(plan) == ["a"]
    assert plan.waits == ("b: waits for room on card 0, of which is still held: 14.90Gi a",)


def test_it_still_waits_while_the_old_pod_drains_and_goes_on_when_that_is_gone() -> None:
    observed = running(BEFORE)
    draining = pod_of(
        next(live for ref, live in observed.children.items() if str(ref) == "Deployment agentic-a"),
        deletionTimestamp="2026-11-22T10:00:00Z",
    )
    observed = after(observed, make_plan(SWAPPED, observed), pods=(draining, observed.pods[1]))
    assert make_plan(SWAPPED, observed).apply == ()
    assert make_plan(SWAPPED, observed).waits
    gone = Observed(children=observed.children, pods=observed.pods[1:])
    assert applied(make_plan(SWAPPED, gone)) == ["b"]
    assert make_plan(SWAPPED, gone).waits == ()


def test_what_fits_beside_the_old_pods_does_not_wait() -> None:
    grown = pool_of(vllm("a", 0.5), vllm("b", 0.35), **ALONE)
    plan = make_plan(grown, running(BEFORE))
    assert sorted(applied(plan)) == ["a", "b"]


def test_a_new_model_waits_for_one_that_leaves() -> None:
    renamed = pool_of(vllm("c", 0.6), vllm("b", 0.3), **ALONE)
    plan = make_plan(renamed, running(BEFORE))
    assert applied(plan) == []
    assert "Deployment agentic-a" in {str(ref) for ref in plan.delete}
    assert plan.waits == ("c: waits for room on card 0, of which is still held: 14.90Gi a",)


def test_a_first_start_waits_for_nobody() -> None:
    assert sorted(applied(make_plan(BEFORE, Observed()))) == ["a", "b"]


def test_two_that_wait_for_each_other_do_not_wait_for_ever() -> None:
    before = pool_of(vllm("a", 0.8, gpu=0), vllm("b", 0.8, gpu=1), **ALONE, **two_cards())
    crossed = pool_of(vllm("a", 0.8, gpu=1), vllm("b", 0.8, gpu=0), **ALONE, **two_cards())
    plan = make_plan(crossed, running(before))
    assert len(applied(plan)) == 1
    assert len(plan.waits) == 1


def test_an_ended_pod_holds_nothing() -> None:
    observed = running(BEFORE)
    ended = PodView(name="old", component="vllm", model="a", template="old", gpus=(0,), held=1 << 34, phase="Failed")
    plan = make_plan(SWAPPED, Observed(children=observed.children, pods=(ended,)))
    assert sorted(applied(plan)) == ["a", "b"]


def test_a_change_of_nothing_but_labels_never_waits() -> None:
    observed = running(BEFORE)
    for ref, live in observed.children.items():
        if ref.kind == "Deployment":
            live["metadata"]["labels"].clear()
    assert sorted(applied(make_plan(BEFORE, observed))) == ["a", "b"]
