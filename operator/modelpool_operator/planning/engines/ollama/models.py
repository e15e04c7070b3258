"""Ollama: which models a pool wants of it, under its names, and the pod that asks it to pull one."""

import re
from typing import Any, Final

from modelpool_operator.api import names
from modelpool_operator.api.models import Engine, Model
from modelpool_operator.api.pool import ModelPool, PoolSpec
from modelpool_operator.planning.engines import images
from modelpool_operator.planning.engines import pod_parts as pods
from modelpool_operator.planning.memory.sources import OllamaName, parse_source
from modelpool_operator.planning.objects.identity import selector_labels
from modelpool_operator.planning.sharing.mode import NO_CARD, Access

_IN_LIBRARY: Final = re.compile(
    r"(?:library/)?[A-Za-z0-9][A-Za-z0-9_.-]*(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?|(?:hf\.co|huggingface\.co)/.+"
)
"""Names that Ollama may have itself. One with an owner, `BAAI/bge-m3`, is Hugging Face's."""
CLIENT_RESOURCES: Final = {
    "limits": {"cpu": "1", "memory": "256Mi"},
    "requests": {"cpu": "50m", "memory": "64Mi"},
}
"""Of a pod that only asks the server something, unless the pool says otherwise. Where a ResourceQuota counts, a pod
without any is denied."""


def served_name(model: Model) -> str:
    """Return Ollama's name of a model whose engine it is: that of its source, else the model's own."""
    source = parse_source(model.source or "")
    return source.name if isinstance(source, OllamaName) else model.name


def fallback_name(spec: PoolSpec, model: Model) -> str | None:
    """Return the Ollama model that stands in for a vLLM model, or None when none does."""
    if model.engine is Engine.OLLAMA or not spec.ollama.enabled or not model.fallback.enabled:
        return None
    if model.fallback.model is not None:
        return model.fallback.model
    return model.name if _IN_LIBRARY.fullmatch(model.name) else None


def lacks_fallback(spec: PoolSpec, model: Model) -> bool:
    """Return whether a vLLM model is to have a stand-in, and nobody says which: Ollama has none of its name."""
    wanted = model.engine is not Engine.OLLAMA and spec.ollama.enabled and model.fallback.enabled
    return wanted and fallback_name(spec, model) is None


def declared(spec: PoolSpec) -> tuple[str, ...]:
    """Return the models whose engine Ollama is, each once, in the spec's order."""
    mine = (served_name(model) for model in spec.models if model.engine is Engine.OLLAMA)
    return tuple(dict.fromkeys(mine)) if spec.ollama.enabled else ()


def models_to_pull(spec: PoolSpec) -> tuple[str, ...]:
    """Return every name that Ollama must hold, each once, in the spec's order."""
    if not spec.ollama.enabled:
        return ()
    wanted = (
        served_name(model) if model.engine is Engine.OLLAMA else fallback_name(spec, model) for model in spec.models
    )
    return tuple(dict.fromkeys(name for name in wanted if name is not None))


def is_needed(spec: PoolSpec) -> bool:
    """Return whether the pool has an Ollama server at all."""
    return bool(models_to_pull(spec))


def pod_labels(pool: ModelPool) -> dict[str, str]:
    """Return the labels by which the Deployment and the Service find the server's pod."""
    return selector_labels(pool, names.OLLAMA_COMPONENT)


def tagged(name: str) -> str:
    """Return a name as Ollama lists it: with a tag."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def client_template(pool: ModelPool, model: str, component: str, command: list[str]) -> dict[str, Any]:
    """Return the pod that asks the server something about `model`. It needs no right, no card and no disk."""
    own: dict[str, str | dict[str, Any]] = {
        "HOME": "/tmp",  # noqa: S108 (the client writes its key there; an emptyDir)
        "OLLAMA_HOST": f"http://{names.ollama_name(pool.ref.name)}:{names.OLLAMA_PORT}",
        **NO_CARD.env,
    }
    container = {
        "name": component,
        "image": images.image_of(pool.spec, Engine.OLLAMA),
        "command": command,
        "env": pods.environment(own),
        "resources": dict(pool.spec.ollama.pull_resources) or CLIENT_RESOURCES,
        "securityContext": {**pods.CONTAINER_SECURITY, "readOnlyRootFilesystem": True},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }
    return pods.template(
        pool,
        labels={**selector_labels(pool, component), **names.COMMON_LABELS},
        annotations={names.MODEL_ANNOTATION: model},
        container=container,
        volumes=[{"name": "tmp", "emptyDir": {}}],
        grace_seconds=30,
        access=Access(),
        pod_affinity=pool.spec.affinity,
        security={"runAsNonRoot": True, "runAsUser": 65534},
        restart_policy="OnFailure",
    )


def models_claim(pool: ModelPool) -> str:
    """Return the claim that holds Ollama's models."""
    return pool.spec.ollama.storage.existing_claim or names.ollama_name(pool.ref.name)
