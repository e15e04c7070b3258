"""PodDisruptionBudgets: one per model that may have several replicas, so that a drain takes them one after the other.

A model with one replica gets none: a budget could only forbid the drain of its node, and its fallback stands in.
"""

from modelpool_operator.api import names
from modelpool_operator.api.models import Model
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.objects.identity import Manifest, metadata


def engine_disruption_budget(pool: ModelPool, model: Model) -> Manifest | None:
    """Return the budget of one model's own engine, or None when it needs none."""
    if model.most_replicas < 2:
        return None
    profile = PROFILES[model.engine]
    labels, name = profile.pod_labels(pool, model), profile.deployment(pool, model)
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(pool, name, labels, {names.MODEL_ANNOTATION: model.name}),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": labels},
            # An engine that does not answer protects nobody by staying.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
