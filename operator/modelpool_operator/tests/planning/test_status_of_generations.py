"""Which generation a status speaks of, and when Ready is True of it. Every way into that is played in another test."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from modelpool_operator.api.status import ConditionStatus, ModelState, PoolStatus
from modelpool_operator.planning.objects.identity import ChildRef
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.planning.reporting.status import assess_failed
from modelpool_operator.tests.planning.pools import pool_of, settled, vllm
from modelpool_operator.tests.planning.test_status import NOW, RUNNING, condition, pod, report, words

QWEN = vllm("qwen3:8b", 0.35)
POOL = pool_of(QWEN, ollama={"enabled": False})
NAME = "agentic-qwen3-8b"
REF = ChildRef("apps/v1", "Deployment", NAME)
READY = pod("qwen3:8b", ready=True, **RUNNING)
OLD = replace(READY, template="another")


def observed(**status: Any) -> Observed:
    """Return a settled pool whose Deployment counts its pods so."""
    found = settled(POOL)
    live = found.children[REF]
    live["metadata"]["generation"] = 4
    live["status"] = {"observedGeneration": 4, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, **status}
    return found


def paused(found: Observed) -> Observed:
    found.children[REF]["spec"]["paused"] = True
    return found


def absent(found: Observed) -> Observed:
    return replace(found, children={ref: live for ref, live in found.children.items() if ref != REF})


def as_it_is(found: Observed) -> Observed:
    return found


BEHIND: dict[str, tuple[PodView, dict[str, Any], Callable[[Observed], Observed], str]] = {
    "the pod is of another template": (OLD, {}, as_it_is, f"pods that Deployment {NAME} had before are not replaced"),
    "the rollout is paused": (
        READY,
        {"updatedReplicas": 0},
        paused,
        f"Deployment {NAME} is paused; `kubectl rollout resume deployment/{NAME}` lets it go on",
    ),
    "the Deployment counts another pod": (READY, {"replicas": 2}, as_it_is, f"pods that Deployment {NAME} had before"),
    "its controller has not looked": (READY, {"observedGeneration": 3}, as_it_is, f"pods that Deployment {NAME} had"),
    "the Deployment is not there": (READY, {}, absent, f"Deployment {NAME} is not there yet"),
}


@pytest.mark.parametrize(("seen", "counts", "change", "why"), BEHIND.values(), ids=BEHIND.keys())
def test_an_engine_that_answers_as_an_earlier_generation_wanted_it_answers_and_is_not_ready(
    seen: PodView, counts: dict[str, Any], change: Callable[[Observed], Observed], why: str
) -> None:
    status = report(seen, pool=POOL, observed=change(observed(**counts)))
    (model,) = status.models
    assert (model.state, model.served_by, model.reason) == (ModelState.READY, "vllm", "Outdated")
    assert why in model.message
    assert words(status, "Ready") == ("False", "Updating")
    assert condition(status, "Progressing").status is ConditionStatus.TRUE


def test_a_change_of_the_number_of_replicas_alone_makes_nothing_doubtful() -> None:
    before = report(READY, pool=POOL, observed=observed())
    assert words(before, "Ready") == ("True", "ModelsReady")
    scaled = report(READY, pool=POOL, observed=observed(observedGeneration=3), previous=before)
    assert words(scaled, "Ready") == ("True", "ModelsReady")


@pytest.mark.parametrize("seen", [3, 4], ids=["and the controller has not looked", "and the API server refuses that"])
def test_pods_of_a_template_that_is_put_right_are_not_ready(seen: int) -> None:
    """Somebody has changed it with the hash in it, so that the pods that run look like ours."""
    before = report(READY, pool=POOL, observed=observed())
    found = observed(observedGeneration=seen)
    container = found.children[REF]["spec"]["template"]["spec"]["containers"][0]
    container["image"] = "example.com/by-hand:1"
    now = report(READY, pool=POOL, observed=found, previous=before)
    assert words(now, "Ready") == ("False", "Updating")


def test_a_refused_change_is_no_generation_that_is_ready_until_it_was_once() -> None:
    refused = report(READY, pool=POOL, observed=observed(), failures=("Could not apply ConfigMap a: denied",))
    assert words(refused, "Ready") == ("False", "ApplyFailed")
    assert condition(refused, "Ready").message == "Could not apply ConfigMap a: denied"
    before = report(READY, pool=POOL, observed=observed())
    later = report(READY, pool=POOL, observed=observed(), previous=before, failures=("Could not apply X: denied",))
    assert words(later, "Ready") == ("True", "ModelsReady"), "the same generation, of which nothing was taken back"
    assert words(later, "Degraded") == ("True", "ApplyFailed")


def reached(*pods: str) -> Observed:
    return replace(observed(), endpoints={NAME: frozenset(pods)})


def test_a_service_that_reaches_nobody_is_not_ready() -> None:
    for found in (reached(), reached("somebody-elses"), replace(observed(), endpoints={})):
        status = report(READY, pool=POOL, observed=found)
        (model,) = status.models
        assert (model.state, model.reason, model.served_by) == (ModelState.LOADING, "NoEndpoints", None)
        assert words(status, "Ready") == ("False", "ModelsNotReady")
        assert f"Service {NAME} does not reach it" in condition(status, "Ready").message
    assert words(report(READY, pool=POOL, observed=reached(READY.name)), "Ready") == ("True", "ModelsReady")


def generations(status: PoolStatus) -> dict[str, int]:
    return {one.type: one.observed_generation for one in status.conditions}


def failed(previous: PoolStatus | None, *, passing: bool) -> PoolStatus:
    return assess_failed(generation=9, reason="X", message="x", passing=passing, previous=previous, now=NOW)


def test_what_was_known_of_an_earlier_generation_is_not_said_of_one_that_nobody_has_looked_at() -> None:
    before = report(READY, pool=POOL, observed=observed())
    status = failed(before, passing=True)
    assert words(status, "Ready") == ("True", "ModelsReady")
    assert generations(status) == {"Planned": 3, "Ready": 3, "Progressing": 3, "Degraded": 9}
    assert status.observed_generation == 3
    unknown = failed(before, passing=False)
    assert words(unknown, "Ready") == ("Unknown", "X")
    assert (unknown.observed_generation, set(generations(unknown).values())) == (9, {9})


@pytest.mark.parametrize("previous", [None, PoolStatus(observed_generation=-1, conditions=())])
def test_of_a_pool_of_which_nothing_was_known_nothing_is_known(previous: PoolStatus | None) -> None:
    status = failed(previous, passing=True)
    assert words(status, "Ready") == ("Unknown", "X")
    assert status.observed_generation == 9


def test_a_generation_whose_changes_are_held_back_is_not_ready_and_not_settled() -> None:
    """Unless it was ready before: then somebody else changed a child, and what answers is of this generation."""
    said = ("Service agentic: the pool wants /spec/ports changed",)
    status = report(READY, pool=POOL, observed=observed(), held=said)
    assert (words(status, "Ready"), words(status, "Progressing")) == (("False", "Updating"), ("True", "HeldBack"))
    assert said[0] in condition(status, "Ready").message
    before = report(READY, pool=POOL, observed=observed())
    later = report(READY, pool=POOL, observed=observed(), held=said, previous=before)
    assert (words(later, "Ready"), words(later, "Progressing")) == (("True", "ModelsReady"), ("True", "HeldBack"))
