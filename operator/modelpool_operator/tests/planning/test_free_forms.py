"""Parts of a spec that are Kubernetes' own: whatever stands in them, a pool is planned or refused in words."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelpool_operator.planning.changes import comparison
from modelpool_operator.planning.changes.plan import make_plan
from modelpool_operator.planning.objects.free_forms import REQUIRED
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.tests.api.crd import SCHEMA, objections
from modelpool_operator.tests.planning.pools import after, ollama, pool_of, settled, vllm

CASES: dict[str, tuple[dict[str, Any], str]] = {
    "a variable without a name": (
        {"vllm": {"env": [{"name": "A", "value": "1"}, {"value": "x"}]}},
        "`vllm.env[1].name` must be a text that is not empty, got nothing",
    ),
    "a variable with a number for a name": (
        {"ollama": {"env": [{"name": 1}]}},
        "`ollama.env[0].name` must be a text that is not empty, got '1'",
    ),
    "limits that are no object": (
        {"vllm": {"resources": {"limits": "8Gi"}}},
        "`vllm.resources.limits` must be amounts by resource, such as `memory: 8Gi`, got '8Gi'",
    ),
    "an amount that is an object": (
        {"ollama": {"resources": {"requests": {"memory": {"size": "8Gi"}}}}},
        "`ollama.resources.requests.memory` must be an amount such as 8Gi, got '{'size': '8Gi'}'",
    ),
    "limits of pulls that are no object": (
        {"ollama": {"pullResources": {"limits": "8Gi"}}},
        "`ollama.pullResources.limits` must be amounts by resource, such as `memory: 8Gi`, got '8Gi'",
    ),
    "claims that are no list": (
        {"vllm": {"resources": {"claims": {"name": "a"}}}},
        "`vllm.resources.claims` must be a list of claims, each `{name: …}`, got '{'name': 'a'}'",
    ),
    "an affinity that is a list": (
        {"affinity": {"podAffinity": [1]}},
        "`affinity.podAffinity` must be an object as a Pod has it, got '[1]'",
    ),
    "terms that are an object": (
        {"affinity": {"podAntiAffinity": {REQUIRED: {"a": 1}}}},
        f"`affinity.podAntiAffinity.{REQUIRED}` must be a list of terms, got '{{'a': 1}}'",
    ),
}


@pytest.mark.parametrize(("spec", "message"), CASES.values(), ids=CASES.keys())
def test_what_the_plan_cannot_read_is_refused_by_field(spec: dict[str, Any], message: str) -> None:
    refusal = make_plan(pool_of(vllm("a", 0.5), **spec), Observed()).refusal
    assert refusal is not None
    assert (refusal.reason, refusal.message) == ("InvalidSpec", message)


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"claims that are no list"}))
def test_the_crd_refuses_it_too(name: str) -> None:
    spec = {"models": [vllm("a", 0.5)], **CASES[name][0]}
    assert objections(SCHEMA["properties"]["spec"], spec) != []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "8Gi", "1.2.3", "memory", "name"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["limits", "requests", "claims", "memory", "name", "podAffinity", "nodeAffinity",
                             "podAntiAffinity", REQUIRED]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)  # fmt: skip
OBJECT = JSON.filter(lambda value: isinstance(value, dict))


@settings(deadline=None, max_examples=200)
@given(OBJECT, st.lists(OBJECT, max_size=2), OBJECT, st.lists(OBJECT, max_size=2))
def test_nothing_that_stands_there_stops_a_pass(
    resources: dict[str, Any], env: list[dict[str, Any]], affinity: dict[str, Any], tolerations: list[dict[str, Any]]
) -> None:
    server = {"resources": resources, "env": env}
    pulling = {**server, "pullResources": resources}
    pool = pool_of(vllm("a", 0.3), ollama("b"), vllm=server, ollama=pulling, affinity=affinity, tolerations=tolerations)
    plan = make_plan(pool, SETTLED)
    if plan.refusal is None:
        make_plan(pool, after(SETTLED, plan))


SETTLED = settled(pool_of(vllm("a", 0.3), ollama("b")))


@pytest.mark.parametrize("text", ["1.2.3", ".", "..", "1e", "Gi", ""])
def test_what_is_no_quantity_is_compared_as_it_is(text: str) -> None:
    same: Callable[[Any, Any], bool] = comparison.holds
    assert same({"limits": {"memory": text}}, {"limits": {"memory": text}})
    assert not same({"limits": {"memory": text}}, {"limits": {"memory": "8Gi"}})
