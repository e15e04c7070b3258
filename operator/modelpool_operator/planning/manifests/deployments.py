"""Deployments: one per vLLM model, one for Ollama."""

from collections.abc import Mapping
from typing import Any

from modelpool_operator.api import names
from modelpool_operator.api.models import Model
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.engines.ollama import models as ollama
from modelpool_operator.planning.engines.ollama import pod as ollama_pods
from modelpool_operator.planning.engines.vllm import pod as vllm
from modelpool_operator.planning.manifests import routes
from modelpool_operator.planning.objects.identity import Manifest, metadata
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.sharing.shares import Placement, Share


def vllm_deployment(pool: ModelPool, model: Model, name: str, share: Share, key: str | None = None) -> Manifest:
    """Return the Deployment of one vLLM model; `key` names the Secret with the key that it asks for."""
    annotations = {names.MODEL_ANNOTATION: model.name, names.CARD_ANNOTATION: vllm.cards_text(share)}
    labels, template = vllm.pod_labels(pool, model), vllm.pod_template(pool, model, share, key)
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
        names.CARD_ANNOTATION: vllm.cards_text(share),
        names.MEMORY_ANNOTATION: str(share.bytes + share.overhead),
    }


def replicas_of(pool: ModelPool, observed: Observed) -> Mapping[str, int]:
    """Return the replicas that the pool's models have been given, by name; a model without a Deployment has none."""
    wanted = routes.vllm_names(pool)
    live = {model: observed.child("Deployment", names.engine_names(pool.ref.name, model).child) for model in wanted}
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
            "progressDeadlineSeconds": vllm.START_SECONDS,
            "replicas": replicas,
            "revisionHistoryLimit": 2,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "Recreate"},
            "template": template,
        },
    }
