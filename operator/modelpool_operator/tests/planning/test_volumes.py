"""Volumes that grow, and volumes that outlive their pool or go with it."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.manifests import ChildRef, Manifest
from modelpool_operator.planning.observed import Observed
from modelpool_operator.planning.plan import make_plan
from modelpool_operator.planning.volumes import is_retained
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


def test_growth_and_keeping_touch_nothing_larger() -> None:
    observed = edited(settled(pool("100Gi")), resources={"requests": {"storage": "300Gi"}})
    changed = claims(pool("200Gi", "Retain"), observed)["agentic-cache"]
    assert changed["spec"]["resources"]["requests"]["storage"] == "300Gi"
