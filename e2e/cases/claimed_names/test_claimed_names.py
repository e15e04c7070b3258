"""Operator and gateway, which share no code, name the same pool for every name that several claim."""

import json
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from modelpool_operator.api.parsing import from_body
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.handlers.model_names import ModelNames
from modelpool_operator.planning.manifests import routes
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement.pool_placement import place_pool
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_sidecar.engines.registry import PROFILES
from modelpool_sidecar.routing import documents, table_building

FIRST = datetime(2026, 11, 22, tzinfo=UTC)
NAMES = st.sampled_from(
    ["a", "A", "a:latest", "library/a", "Library/A:Latest", "b", "b:1", "B:1", "registry.ollama.ai/b"]
)
MODELS = st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=2)), min_size=1, max_size=3)


def pool_of(number: int, age: int, models: list[tuple[str, list[str]]]) -> ModelPool:
    listed: list[dict[str, Any]] = [{"name": name, "engine": "ollama", "aliases": aliases} for name, aliases in models]
    return from_body(
        {
            "apiVersion": "modelpool.dev/v1alpha1",
            "kind": "ModelPool",
            "metadata": {
                "namespace": "llm",
                "name": f"pool-{number}",
                "creationTimestamp": (FIRST + timedelta(days=age)).isoformat(),
            },
            "spec": {"gpus": {"memory": "24Gi"}, "models": listed},
        }
    )


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 2), MODELS), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_both_say_who_serves_a_name(pools: list[tuple[int, list[tuple[str, list[str]]]]], order: Any) -> None:
    made = [pool_of(number, age, models) for number, (age, models) in enumerate(pools)]
    placed = [(pool, place_pool(pool, Observed())) for pool in made]
    planned = [(pool, placement) for pool, placement in placed if isinstance(placement, Placement)]
    order.shuffle(planned)
    claims = ModelNames()
    for pool, _ in planned:
        claims.put(pool.ref, pool.created, routes.entries_of(pool))
    told = [
        documents.parse(
            json.dumps(routes.routes_document(pool, placement, routes.in_cluster(pool, placement))), PROFILES.names
        )
        for pool, placement in planned
    ]
    table = table_building.build(told, MappingProxyType({}), MappingProxyType({}))
    for pool, _ in planned:
        lost = claims.lost_by(pool.ref)
        for entry in routes.entries_of(pool):
            for name in (entry.name, *entry.aliases):
                found = table.find(name)
                served_by = None if found is None else (found.pool.ref.namespace, found.pool.ref.name)
                if name in lost:
                    assert served_by == lost[name], (name, lost)
                else:
                    assert served_by in (None, pool.ref) or entry.name in lost, (name, served_by)
