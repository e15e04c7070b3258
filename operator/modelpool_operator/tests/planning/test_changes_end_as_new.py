"""Whatever is changed of a pool: it ends in the state that a new pool of that spec would have."""

from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

from modelpool_operator.api.models import Model
from modelpool_operator.api.parsing import InvalidPoolError
from modelpool_operator.api.pool import Gpus, ModelPool, PoolSpec
from modelpool_operator.api.servers import OllamaServer, VllmDefaults
from modelpool_operator.planning.changes.plan import make_plan
from modelpool_operator.planning.objects.identity import ChildRef
from modelpool_operator.planning.observation.installation import Installation
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.tests.planning.pools import after, ollama, pool_of, vllm

LEFT: frozenset[str] = frozenset({"Job", "PersistentVolumeClaim"})
"""What remembers, by intent: what was pulled, and what was downloaded."""
ENGINES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "adapters": st.sampled_from([[], [{"name": "lora", "source": "hf://org/lora"}]]),
        "args": st.sampled_from([["--enforce-eager"], ["--seed=1"]]),
        "autoscaling": st.sampled_from([{"maxReplicas": 1}, {"minReplicas": 1, "maxReplicas": 2}]),
        "capabilities": st.sampled_from([["completion", "tools"], ["completion", "vision"], ["embedding"]]),
        "contextLength": st.sampled_from([2048, 8192]),
        "fallback": st.sampled_from([{"enabled": False}, {"model": "tiny:1b"}, {"model": "other:2b"}]),
        "kvCacheMemory": st.just("1Gi"),
        "maxConcurrency": st.integers(1, 4),
        "reasoningParser": st.just("qwen3"),
        "replicas": st.integers(0, 2),
        "source": st.sampled_from(["hf://org/repo", "hf://org/repo@abc", "pvc://weights/other"]),
        "speculative": st.sampled_from([{"method": "ngram"}, {"method": "ngram", "tokens": 2}]),
        "toolCallParser": st.just("hermes"),
        "weights": st.just("1Gi"),
        "allowedMediaDomains": st.just(["example.com"]),
        "parameters": st.just({"temperature": 0.5}),
    },
)
SHARES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{"gpuMemoryFraction": 0.2}, {"gpuMemoryFraction": 0.25}, {"gpuMemory": "5Gi"}]
)
GPUS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "count": st.integers(1, 2),
        "memory": st.sampled_from(["24Gi", "40Gi"]),
        "others": st.sampled_from(["Count", "Ignore"]),
        "placement": st.sampled_from(["spread", "pack"]),
        "reserve": st.just("1Gi"),
        "resourceName": st.just("example.com/gpu"),
        "runtimeClassName": st.just("nvidia"),
        "sharing": st.sampled_from(["timeSlicing", "visibleDevices", "hami", "dra", "exclusive"]),
    },
)
ENV = [{"name": "A", "value": "b"}]
MEMORY = {"limits": {"memory": "8Gi"}}
VLLM: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "image": st.sampled_from(["vllm:one", "vllm:two"]),
        "args": st.just(["--seed=3"]),
        "env": st.just(ENV),
        "resources": st.just(MEMORY),
        "shmSize": st.just("1Gi"),
    },
)
OLLAMA: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.just(True),
        "image": st.just("ollama:one"),
        "numParallel": st.just(2),
        "maxLoadedModels": st.just(1),
        "keepAlive": st.just("1h"),
        "contextLength": st.just(4096),
        "gpuMemory": st.sampled_from(["0", "2Gi"]),
        "resources": st.just(MEMORY),
        "pullResources": st.just(MEMORY),
        "env": st.just(ENV),
        "storage": st.sampled_from([{"size": "60Gi"}, {"existingClaim": "models"}, {"onDelete": "Retain"}]),
    },
)
NODES = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]
HERE = {"kubernetes.io/hostname": "gpu-1"}
PEERS: list[dict[str, Any]] = [{"podSelector": {}}]
SPECS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"gpus": GPUS},
    optional={
        "affinity": st.just(
            {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": NODES}}}
        ),
        "cache": st.sampled_from([{"size": "120Gi"}, {"existingClaim": "weights"}, {"onDelete": "Retain"}]),
        "fsGroup": st.just(1000),
        "huggingFace": st.sampled_from([{"endpoint": "https://hub.example"}, {"tokenSecretRef": {"name": "hf"}}]),
        "imagePullSecrets": st.just([{"name": "registry"}]),
        "network": st.sampled_from([{"isolate": False}, {"isolate": True, "clients": PEERS}, {"monitoring": PEERS}]),
        "nodeSelector": st.sampled_from([HERE, {"pool": "gpu"}, {**HERE, "pool": "gpu"}]),
        "ollama": OLLAMA,
        "podAnnotations": st.just({"note": "b"}),
        "podLabels": st.just({"team": "a"}),
        "priorityClassName": st.just("high"),
        "routing": st.sampled_from([{"maxPending": 3}, {"queueTimeoutSeconds": 9}]),
        "serviceAccountName": st.just("engines"),
        "tolerations": st.just([{"operator": "Exists"}]),
        "vllm": VLLM,
    },
)
BY_INTENT: frozenset[str] = frozenset({"VolumeOnOneNode"})
"""Refusals of a change that a new pool does not meet: the weights are there, on one node."""
DRAWN_ELSEWHERE = {
    "aliases": "below, as no two models may have one",
    "engine": "below",
    "gpu": "below, as engines stay on the cards that they have unless they are told",
    "gpuMemoryFraction": "in SHARES",
    "name": "below",
    "tensorParallelSize": "below, with cards enough",
    "models": "below",
    "prune": "what it removes was pulled before, which a new pool has not done",
}


def test_every_field_of_a_pool_is_drawn() -> None:
    """A field that is added must be drawn, or said to be drawn elsewhere."""
    drawn = {name for one in (ENGINES, SPECS, GPUS, VLLM, OLLAMA) for name in _fields(one)}
    told = {
        field.encode_name
        for struct in (Model, PoolSpec, Gpus, VllmDefaults, OllamaServer)
        for field in msgspec.structs.fields(struct)
    }
    assert told - drawn == DRAWN_ELSEWHERE.keys()


def _fields(strategy: st.SearchStrategy[dict[str, Any]]) -> set[str]:
    unwrapped: Any = strategy
    unwrapped = getattr(unwrapped, "wrapped_strategy", unwrapped)
    return {*unwrapped.mapping, *(unwrapped.optional or {})}


@st.composite
def pools(draw: st.DrawFn) -> ModelPool:
    spec = draw(SPECS)
    cards = spec["gpus"].get("count", 1)
    models = []
    for place, name in enumerate(draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, unique=True))):
        model = {**vllm(name), **draw(SHARES), **draw(ENGINES)}
        if cards == 1:
            model["gpu"] = draw(st.sampled_from([0, None]))
        elif draw(st.booleans()):
            model["tensorParallelSize"] = 2
        else:
            model["gpu"] = draw(st.integers(0, 1))
        if "autoscaling" in model:
            model.pop("replicas", None)
        if place == 0 and draw(st.booleans()):
            model["aliases"] = ["alias"]
        if place:
            model.pop("adapters", None)
        models.append({key: value for key, value in model.items() if value is not None})
    if draw(st.booleans()):
        models.append(ollama("small:1b"))
    try:
        pool = pool_of(*models, **spec)
    except InvalidPoolError:
        reject()
    assume(make_plan(pool, Observed(installation=KNOWN)).refusal is None)
    return pool


def carried_out(pool: ModelPool, before: Observed) -> Observed:
    observed = before
    for _ in range(12):
        plan = make_plan(pool, Observed(children=observed.children, installation=KNOWN))
        if plan.refusal is not None:
            assert plan.refusal.reason in BY_INTENT, plan.refusal
            reject()
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


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(pools(), pools())
def test_any_change_ends_as_a_new_pool_does(before: ModelPool, then: ModelPool) -> None:
    observed = carried_out(then, carried_out(before, Observed()))
    assert essence(observed) == essence(carried_out(then, Observed()))
