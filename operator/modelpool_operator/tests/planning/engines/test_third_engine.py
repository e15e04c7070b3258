"""An engine is one file: it is planned, placed, built, diagnosed, routed to and reported like the others."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from modelpool_operator.api import names
from modelpool_operator.api.models import Engine
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import ModelState, ModelStatus
from modelpool_operator.planning.changes.plan import Plan, make_plan
from modelpool_operator.planning.engines import registry
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.objects.identity import Manifest
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.planning.reporting.status import assess
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.planning.engines import third_engine
from modelpool_operator.tests.planning.pools import after, pool_of, settled, vllm
from modelpool_operator.tests.planning.test_status import RUNNING, crashed, pod, waiting

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def added() -> Iterator[None]:
    PROFILES.add(third_engine.PROFILE)
    yield
    PROFILES.drop(third_engine.PROFILE)


def third(**fields: Any) -> dict[str, Any]:
    return {"name": "qwen3:8b", "engine": "third", "source": "hf://a/b", "weights": "6Gi", **fields}


def pool() -> ModelPool:
    return pool_of(third(gpuMemoryFraction=0.5), vllm("other", 0.3))


def planned(wanted: ModelPool) -> Plan:
    plan = make_plan(wanted, Observed())
    assert plan.refusal is None, plan.refusal
    return plan


def child(plan: Plan, kind: str, name: str) -> Manifest:
    return next(one for one in plan.apply if (one["kind"], one["metadata"]["name"]) == (kind, name))


def status_of(*pods: PodView) -> ModelStatus:
    wanted, observed = pool(), settled(pool())
    seen = replace(observed, pods=pods)
    plan = make_plan(wanted, seen)
    seen = replace(seen, pods=tuple(replace(one, template=plan.templates["agentic-qwen3-8b"]) for one in pods))
    return assess(wanted, seen, plan, previous=None, now=NOW).models[0]


def test_its_file_is_found_where_engines_are(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(third_engine.__file__)
    monkeypatch.setattr(registry, "__file__", str(file))
    monkeypatch.setattr(registry, "__name__", f"{third_engine.__package__}.registry")
    assert "Third" in {one.title for one in registry._found()}


def test_it_is_planned_and_placed_beside_others() -> None:
    placement = planned(pool()).placement
    assert isinstance(placement, Placement)
    share = placement.share_of("qwen3:8b")
    assert share is not None
    assert (share.engine, share.gpus) == (Engine("third"), (0,))
    assert [term.label for term in share.lines] == ["weights", "buffers"]


def test_what_does_not_fit_is_refused_by_its_own_sum() -> None:
    refusal = make_plan(pool_of(third(gpuMemory="8Gi")), Observed()).placement
    assert isinstance(refusal, Refusal)
    assert refusal.message == (
        "qwen3:8b needs 10.00Gi (6.00Gi weights + 4.00Gi buffers), but its share is 8.00Gi (0.3333 of 24.00Gi)"
    )


def test_what_it_does_not_have_is_refused() -> None:
    refusal = make_plan(pool_of(third(gpuMemory="12Gi", speculative={"method": "ngram"})), Observed()).placement
    assert isinstance(refusal, Refusal)
    assert refusal.message == "`speculative` of qwen3:8b must not be set for engine 'third'"


def test_its_pod_is_built_from_its_answers() -> None:
    plan = planned(pool())
    template = child(plan, "Deployment", "agentic-qwen3-8b")["spec"]["template"]
    (container,) = template["spec"]["containers"]
    assert (container["name"], container["image"]) == ("third", "third/server:1.2")
    assert container["args"] == ["--", "third", "serve", "hf://a/b", "--percent", "50"]
    assert container["command"][-1] == "http://127.0.0.1:30000/up"
    assert {"name": "THIRD_HOME", "value": "/cache/third"} in container["env"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/up"
    assert template["metadata"]["labels"][names.NAME_LABEL] == "third"
    service = child(plan, "Service", "agentic-qwen3-8b")["spec"]
    assert (service["ports"][0]["port"], service["selector"][names.NAME_LABEL]) == (30000, "third")


def test_it_is_routed_to_and_has_a_fallback() -> None:
    document = json.loads(child(planned(pool()), "ConfigMap", "agentic-routes")["data"][names.ROUTES_KEY])
    assert document["models"][0]["backends"] == [
        {
            "engine": "third",
            "service": "agentic-qwen3-8b",
            "port": 30000,
            "model": "qwen3:8b",
            "maxConcurrency": 16,
        },
        {
            "engine": "ollama",
            "service": "agentic-ollama",
            "port": 11434,
            "model": "qwen3:8b",
            "maxConcurrency": 1,
        },
    ]


def test_a_pool_of_it_settles() -> None:
    seen = after(settled(pool()), planned(pool()))
    assert not make_plan(pool(), seen)


def test_it_is_reported_as_ready() -> None:
    found = status_of(pod("qwen3:8b", "third", ready=True, **RUNNING))
    assert (found.engine, found.state, found.served_by) == ("third", ModelState.READY, "third")


def test_what_it_died_of_is_known_by_its_own_words() -> None:
    last = crashed("Error", "flavour sour is unknown")
    found = status_of(pod("qwen3:8b", "third", **waiting("CrashLoopBackOff", **last)))
    assert (found.state, found.reason) == (ModelState.FAILED, "FlavourUnknown")
    assert found.message == "flavour sour is unknown (4 restarts). Take weights of another flavour"
