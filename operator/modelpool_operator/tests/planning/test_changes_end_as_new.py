"""Whatever is changed of a pool: it ends in the state that a new pool of that spec would have."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.installation import Installation
from modelpool_operator.planning.manifests import ChildRef
from modelpool_operator.planning.observed import Observed
from modelpool_operator.planning.plan import make_plan
from modelpool_operator.tests.planning.pools import after, ollama, pool_of, vllm

LEFT: frozenset[str] = frozenset({"Job", "PersistentVolumeClaim"})
"""What remembers, by intent: what was pulled, and what was downloaded."""
ENGINES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "aliases": st.just(["other"]),
        "args": st.just(["--enforce-eager"]),
        "capabilities": st.just(["completion", "tools"]),
        "contextLength": st.sampled_from([2048, 8192]),
        "fallback": st.sampled_from([{"enabled": False}, {"model": "tiny:1b"}]),
        "maxConcurrency": st.integers(1, 4),
        "replicas": st.integers(0, 1),
        "allowedMediaDomains": st.just(["example.com"]),
        "parameters": st.just({"temperature": 0.5}),
    },
)
SPECS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "podLabels": st.just({"team": "a"}),
        "podAnnotations": st.just({"note": "b"}),
        "fsGroup": st.just(1000),
        "priorityClassName": st.just("high"),
        "tolerations": st.just([{"operator": "Exists"}]),
        "serviceAccountName": st.just("engines"),
        "vllm": st.sampled_from([{"image": "vllm:one"}, {"env": [{"name": "A", "value": "b"}]}]),
        "ollama": st.sampled_from([{"enabled": True, "gpuMemory": "2Gi"}, {"keepAlive": "1h"}]),
        "network": st.sampled_from([{"isolate": False}, {"isolate": True}]),
        "routing": st.just({"maxPending": 3}),
    },
)


@st.composite
def pools(draw: st.DrawFn) -> ModelPool:
    names = draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, unique=True))
    models = [vllm(name, 0.2, **draw(ENGINES)) for name in names]
    models = [{**model, "aliases": []} if place else model for place, model in enumerate(models)]
    if draw(st.booleans()):
        models.append(ollama("small:1b"))
    return pool_of(*models, **draw(SPECS))


def carried_out(pool: ModelPool, before: Observed) -> Observed:
    observed = before
    for _ in range(12):
        plan = make_plan(pool, Observed(children=observed.children, installation=KNOWN))
        assert plan.refusal is None, plan.refusal
        if not plan:
            return observed
        observed = after(observed, plan)
    raise AssertionError(f"does not settle: {make_plan(pool, observed).reasons}")


KNOWN = Installation(gateways="modelpool-system")


def essence(observed: Observed) -> Mapping[ChildRef, Any]:
    kept = ("spec", "data")
    return {
        ref: {
            "labels": child["metadata"].get("labels"),
            "annotations": child["metadata"].get("annotations"),
            **{key: child[key] for key in kept if key in child},
        }
        for ref, child in observed.children.items()
        if ref.kind not in LEFT
    }


@settings(deadline=None, max_examples=80)
@given(pools(), pools())
def test_any_change_ends_as_a_new_pool_does(before: ModelPool, then: ModelPool) -> None:
    observed = carried_out(then, carried_out(before, Observed()))
    assert essence(observed) == essence(carried_out(then, Observed()))
