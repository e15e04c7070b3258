"""Deployments: one per model with an engine of its own, one for Ollama."""

from collections.abc import Mapping
from typing import Any

from modelpool_operator.api import names
from modelpool_operator.api.models import Model
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.engines import start_pod
from modelpool_operator.planning.engines.ollama import models as ollama
from modelpool_operator.planning.engines.ollama import pod as ollama_pods
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.objects.identity import Manifest, metadata
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.sharing.shares import Placement, Share


def engine_deployment(pool: ModelPool, model: Model, share: Share, key: str | None = None) -> Manifest:
    """Return the Deployment of one model's own engine; `key` names the Secret with the key that it asks for."""
    profile = PROFILES[model.engine]
    annotations = {names.MODEL_ANNOTATION: model.name, names.CARD_ANNOTATION: start_pod.cards_text(share)}
    template = start_pod.pod_template(profile, pool, model, share, key)
    name, labels = profile.deployment(pool, model), profile.pod_labels(pool, model)
    return _deployment(pool, name, labels, annotations, template, model.replicas)


def ollama_deployment(pool: ModelPool, placement: Placement, annotations: dict[str, str]) -> Manifest:
    """Return the Deployment of the pool's Ollama."""
    name, labels = names.ollama_name(pool.ref.name), ollama.pod_labels(pool)
    described = {**_card_of(placement.ollama), **annotations}
    return _deployment(pool, name, labels, described, ollama_pods.pod_template(pool, placement), 1)


def _card_of(share: Share | None) -> dict[str, str]:
    """Return where Ollama's share is, and how large: on the Deployment, so that its pod is not made anew for it."""
    if share is None:
        return {}
    return {
        names.CARD_ANNOTATION: start_pod.cards_text(share),
        names.MEMORY_ANNOTATION: str(share.bytes + share.overhead),
    }


def replicas_of(pool: ModelPool, observed: Observed) -> Mapping[str, int]:
    """Return the replicas that the pool's models have been given, by name; a model without a Deployment has none."""
    wanted = {model.name: PROFILES[model.engine].deployment(pool, model) for model in PROFILES.with_own(pool.spec)}
    live = {model: observed.child("Deployment", name) for model, name in wanted.items()}
    return {model: found["spec"].get("replicas", 1) for model, found in live.items() if found is not None}


def _deployment(
    pool: ModelPool,
    name: str,
    labels: dict[str, str],
    annotations: dict[str, str],
    template: dict[str, Any],
    replicas: int,
) -> Manifest:
    """Return a Deployment that ends its old pods before it starts new ones: both never fit on a card."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(pool, name, labels, annotations),
        "spec": {
            "progressDeadlineSeconds": start_pod.START_SECONDS,
            "replicas": replicas,
            "revisionHistoryLimit": 2,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "Recreate"},
            "template": template,
        },
    }
