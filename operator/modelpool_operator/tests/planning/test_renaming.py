"""Models that are renamed, and children that an older operator named in another way: the end is as for a new pool."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.changes.plan import make_plan
from modelpool_operator.planning.objects.identity import ChildRef, Manifest
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.tests.planning.pools import after, pool_of, vllm
from modelpool_operator.tests.planning.pools import settled as settled_pool

NAME = st.builds("".join, st.tuples(st.sampled_from(["q", "q3-", "q3.5:"]), st.text("8b:-.", max_size=3)))
SOME = st.lists(NAME, min_size=1, max_size=3, unique_by=str.lower)


def named(models: list[str]) -> ModelPool:
    return pool_of(*(vllm(model, 0.2, fallback={"enabled": False}) for model in models))


def carried_out(pool: ModelPool, observed: Observed) -> Observed:
    """Return what is there once the pool is settled, on an API server that changes no selector of a Deployment."""
    for _ in range(6):
        plan = make_plan(pool, observed)
        if not plan:
            return observed
        for manifest in plan.apply:
            live = observed.child(manifest["kind"], manifest["metadata"]["name"])
            if live is not None and live["kind"] == "Deployment":
                assert live["spec"]["selector"] == manifest["spec"]["selector"], "field is immutable"
        observed = after(observed, plan)
    raise AssertionError(f"does not settle: {make_plan(pool, observed).reasons}")


def essence(observed: Observed) -> Mapping[ChildRef, Any]:
    return {ref: child.get("spec") or child.get("data") for ref, child in observed.children.items()}


@settings(deadline=None, max_examples=80)
@given(SOME, SOME)
def test_every_rename_ends_as_a_new_pool_does(before: list[str], then: list[str]) -> None:
    observed = carried_out(named(then), carried_out(named(before), Observed()))
    assert essence(observed) == essence(carried_out(named(then), Observed()))


@settings(deadline=None, max_examples=60)
@given(SOME)
def test_a_model_that_goes_takes_nothing_of_the_others_with_it(models: list[str]) -> None:
    observed, left = settled_pool(named(models)), named([*models[1:], "other"])
    plan = make_plan(left, observed)
    theirs = {names.engine_names("agentic", model).child for model in models[1:]}
    assert theirs.isdisjoint(ref.name for ref in plan.delete)


def older(pool: ModelPool, child: str, model: str) -> Observed:
    """Return a settled pool in which the children of a model have another name, as an older operator gave it."""
    new = names.engine_names("agentic", model).child
    moved: dict[ChildRef, Manifest] = {}
    for ref, live in settled_pool(pool).children.items():
        if ref.name == new and new != child:
            live = deepcopy(live)
            live["metadata"]["name"], ref = child, ref._replace(name=child)
        moved[ref] = live
    return Observed(children=moved)


@pytest.mark.parametrize(
    ("child", "model"), [("agentic-qwen3-8b", "qwen3-8b"), ("agentic-qwen-qwen3-8b", "Qwen/Qwen3-8B")]
)
def test_an_engine_under_an_older_name_ends_before_the_new_one_starts(child: str, model: str) -> None:
    pool = named([model])
    observed = older(pool, child, model)
    old = ChildRef("apps/v1", "Deployment", child)
    plan = make_plan(pool, observed)
    assert old in plan.delete
    assert plan.replaced == {old}
    assert "Deployment" not in {manifest["kind"] for manifest in plan.apply}
    going = deepcopy(observed.children[old])
    going["metadata"]["deletionTimestamp"] = "2026-11-22T11:00:00Z"
    left = after(replace(observed, children={**observed.children, old: going}), replace(plan, delete=()))
    assert "Deployment" not in {manifest["kind"] for manifest in make_plan(pool, left).apply}
    assert essence(carried_out(pool, after(observed, plan))) == essence(settled_pool(pool))


def test_a_deployment_with_another_selector_is_made_anew() -> None:
    pool = named(["qwen3:8b"])
    observed = older(named(["qwen3-8b"]), "agentic-qwen3-8b", "qwen3-8b")
    old = ChildRef("apps/v1", "Deployment", "agentic-qwen3-8b")
    plan = make_plan(pool, observed)
    assert plan.delete == (old,)
    assert plan.replaced == {old}
    assert "Deployment agentic-qwen3-8b: is to be made anew" in plan.reasons
    assert essence(carried_out(pool, observed)) == essence(carried_out(pool, Observed()))
