"""Volumes that grow, and volumes that outlive their pool or go with it."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.changes.plan import make_plan
from modelpool_operator.planning.manifests.volumes import is_retained
from modelpool_operator.planning.objects.identity import ChildRef, Manifest
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.tests.planning.pools import after, ollama, pool_of, settled, vllm

CACHE = ChildRef("v1", "PersistentVolumeClaim", "agentic-cache")
MODELS = ChildRef("v1", "PersistentVolumeClaim", "agentic-ollama")


def pool(size: str = "100Gi", on_delete: str = "Delete", **more: Any) -> ModelPool:
    volume = {"size": size, "onDelete": on_delete, **more}
    return pool_of(vllm("a", 0.3), ollama("b"), cache=volume, ollama={"storage": volume})


def claims(plan_of: ModelPool, observed: Observed) -> dict[str, Manifest]:
    plan = make_plan(plan_of, observed)
    assert not [ref for ref in plan.delete if ref.kind == "PersistentVolumeClaim"]
    return {one["metadata"]["name"]: one for one in plan.apply if one["kind"] == "PersistentVolumeClaim"}


def edited(observed: Observed, **spec: Any) -> Observed:
    children = {ref: deepcopy(live) for ref, live in observed.children.items()}
    for ref in (CACHE, MODELS):
        children[ref]["spec"].update(spec)
    return replace(observed, children=children)


def test_a_volume_grows_with_the_spec_and_then_stays() -> None:
    observed = settled(pool("100Gi"))
    grown = claims(pool("200Gi"), observed)
    assert {name: one["spec"]["resources"]["requests"]["storage"] for name, one in grown.items()} == {
        "agentic-cache": "200Gi",
        "agentic-ollama": "200Gi",
    }
    assert claims(pool("200Gi"), after(observed, make_plan(pool("200Gi"), observed))) == {}


@pytest.mark.parametrize("size", ["100Gi", "50Gi", "102400Mi"])
def test_what_is_as_large_or_was_enlarged_by_hand_stays(size: str) -> None:
    observed = edited(settled(pool("100Gi")), resources={"requests": {"storage": "107374182400"}})
    assert claims(pool(size), observed) == {}


def test_what_cannot_change_is_sent_as_it_is() -> None:
    observed = edited(
        settled(pool("100Gi", storageClassName="fast")), accessModes=["ReadWriteMany"], storageClassName="faster"
    )
    grown = claims(pool("200Gi", storageClassName="fast"), observed)["agentic-cache"]
    assert grown["spec"]["accessModes"] == ["ReadWriteMany"]
    assert grown["spec"]["storageClassName"] == "faster"
    assert "storageClassName" not in claims(pool("200Gi"), observed)["agentic-cache"]["spec"]


def test_a_retained_volume_has_no_owner_and_is_made_once() -> None:
    kept = pool(on_delete="Retain")
    observed = settled(kept)
    for ref in (CACHE, MODELS):
        assert is_retained(observed.children[ref])
        assert "ownerReferences" not in observed.children[ref]["metadata"]
        assert observed.children[ref]["metadata"]["labels"][names.POOL_LABEL] == "agentic"
    assert not make_plan(kept, observed)


@pytest.mark.parametrize(("before", "then"), [("Delete", "Retain"), ("Retain", "Delete")])
def test_what_becomes_of_a_volume_may_change_while_the_pool_lives(before: str, then: str) -> None:
    observed = settled(pool(on_delete=before))
    changed = claims(pool(on_delete=then), observed)
    assert changed.keys() == {"agentic-cache", "agentic-ollama"}
    assert {is_retained(one) for one in changed.values()} == {then == "Retain"}
    assert {("ownerReferences" in one["metadata"]) for one in changed.values()} == {then == "Delete"}
    assert not make_plan(pool(on_delete=then), after(observed, make_plan(pool(on_delete=then), observed)))


def test_a_volume_is_kept_although_the_pool_is_refused() -> None:
    """Who wants to keep the weights says so before the pool goes; nothing else of a refused pool is carried out."""
    observed = settled(pool("100Gi"))

    def too_large(size: str, on_delete: str) -> ModelPool:
        volume = {"size": size, "onDelete": on_delete}
        return pool_of(vllm("a", 0.3), vllm("z", 0.9), ollama("b"), cache=volume, ollama={"storage": volume})

    refused = too_large("200Gi", "Retain")
    plan = make_plan(refused, observed)
    assert plan.refusal is not None
    kept = claims(refused, observed)
    assert [ref.kind for ref in plan.changed] == ["PersistentVolumeClaim"] * 2
    assert {is_retained(one) for one in kept.values()} == {True}
    assert {one["spec"]["resources"]["requests"]["storage"] for one in kept.values()} == {"100Gi"}
    assert not make_plan(refused, after(observed, plan))
    assert not make_plan(too_large("100Gi", "Delete"), after(observed, plan)), "to keep is safe, to give away is not"


def test_growth_and_keeping_touch_nothing_larger() -> None:
    observed = edited(settled(pool("100Gi")), resources={"requests": {"storage": "300Gi"}})
    changed = claims(pool("200Gi", "Retain"), observed)["agentic-cache"]
    assert changed["spec"]["resources"]["requests"]["storage"] == "300Gi"


def unbound(observed: Observed) -> Observed:
    children = {ref: deepcopy(live) for ref, live in observed.children.items()}
    for ref in (CACHE, MODELS):
        del children[ref]["spec"]["volumeName"]
    return replace(observed, children=children)


def notes(plan_of: ModelPool, observed: Observed) -> list[str]:
    return [note for note in make_plan(plan_of, observed).notes if "PersistentVolumeClaim" in note]


def test_a_claim_without_a_volume_cannot_grow_and_is_made_anew_by_hand() -> None:
    observed = unbound(settled(pool("100Gi")))
    for size in ("50Gi", "200Gi"):
        assert claims(pool(size), observed) == {}
        first, second = notes(pool(size), observed)
        assert f"`cache.size` is {size}, and PersistentVolumeClaim agentic-cache was made with 100Gi" in first
        assert "`kubectl delete persistentvolumeclaim agentic-cache --namespace llm`, and it is made anew" in first
        assert "`ollama.storage.size`" in second
    assert notes(pool("102400Mi"), observed) == []


def test_a_volume_that_is_larger_than_the_pool_says_stays_and_is_told_of() -> None:
    observed = settled(pool("100Gi"))
    assert claims(pool("50Gi"), observed) == {}
    assert notes(pool("50Gi"), observed)[0] == (
        "`cache.size` is 50Gi, and PersistentVolumeClaim agentic-cache has 100Gi: a volume cannot shrink, so it stays"
    )
    assert notes(pool("100Gi"), observed) == notes(pool("200Gi"), observed) == []


def test_a_volume_of_another_class_stays_and_is_told_of() -> None:
    observed = settled(pool(storageClassName="slow"))
    wanted = pool(storageClassName="fast")
    assert claims(wanted, observed) == {}
    assert (
        "`cache.storageClassName` is 'fast', and PersistentVolumeClaim agentic-cache has 'slow'"
        in notes(wanted, observed)[0]
    )
    assert notes(pool(), observed) == []
    assert "was made with 'slow' and has no volume yet" in notes(wanted, unbound(observed))[0]


def test_a_claim_that_goes_is_not_spoken_of_as_if_it_stayed() -> None:
    observed = settled(pool("100Gi"))
    children = {ref: deepcopy(live) for ref, live in observed.children.items()}
    for ref in (CACHE, MODELS):
        children[ref]["metadata"]["deletionTimestamp"] = "2026-11-22T11:00:00Z"
    assert notes(pool("50Gi"), replace(observed, children=children)) == []


def test_replicas_are_refused_where_one_node_has_the_volume() -> None:
    one, two = vllm("a", 0.3), vllm("a", 0.3, replicas=2)
    running = settled(pool_of(one))
    refusal = make_plan(pool_of(two), running).refusal
    assert refusal is not None
    assert refusal.reason == "VolumeOnOneNode"
    assert "`replicas` of a is 2" in refusal.message
    assert "PersistentVolumeClaim agentic-cache is ReadWriteOnce" in refusal.message
    more = make_plan(pool_of(vllm("a", 0.3, autoscaling={"maxReplicas": 3})), running).refusal
    assert more is not None
    assert "`autoscaling.maxReplicas` of a is 3" in more.message


def test_a_volume_of_one_node_will_do_for_replicas_that_are_said_to_stand_there() -> None:
    whole = {"count": 1, "sharing": "exclusive"}
    running = settled(pool_of(vllm("a", 0.3), gpus=whole))
    two = vllm("a", 0.3, replicas=2)
    refusal = make_plan(pool_of(two, gpus=whole), running).refusal
    assert refusal is not None
    assert "or this one where all replicas stand on one node" in refusal.message
    said = make_plan(pool_of(two, gpus=whole, cache={"existingClaim": "agentic-cache"}), running)
    assert said.refusal is None
    assert not said.delete


def test_replicas_are_planned_where_several_nodes_can_have_the_volume() -> None:
    one, two = vllm("a", 0.3), vllm("a", 0.3, replicas=2)
    shared = edited(settled(pool()), accessModes=["ReadWriteMany"])
    assert make_plan(pool_of(two, ollama("b")), shared).refusal is None
    assert make_plan(pool_of(two), Observed()).refusal is None
    brought = settled(pool_of(one, cache={"existingClaim": "theirs"}))
    assert make_plan(pool_of(two, cache={"existingClaim": "theirs"}), brought).refusal is None
