"""The servers that run a pool's models: defaults of every vLLM engine, and the pool's one Ollama."""

from enum import Enum
from typing import Any

import msgspec

from modelpool_operator.api.quantity import Quantity


class VllmDefaults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What every vLLM engine of the pool starts with."""

    image: str | None = None
    """Absent: the operator's own."""
    args: list[str] = []
    """Arguments of `vllm serve`, after the operator's own and before the model's."""
    env: list[dict[str, Any]] = []
    """Kubernetes EnvVars, after the operator's own."""
    resources: dict[str, Any] = {}
    shm_size: Quantity = Quantity("2Gi")
    """Of /dev/shm, which counts as the container's memory."""


class OnDelete(Enum):
    """What becomes of a volume that was made for a pool when the pool is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


class OllamaStorage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The volume of Ollama's models."""

    size: Quantity = Quantity("50Gi")
    storage_class_name: str | None = None
    existing_claim: str | None = None
    on_delete: OnDelete = OnDelete.DELETE


class OllamaServer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The pool's Ollama: it serves the models whose engine it is, and stands in for vLLM engines that cannot."""

    enabled: bool = True
    image: str | None = None
    """Absent: the operator's own."""
    storage: OllamaStorage = OllamaStorage()
    num_parallel: int = 1
    """OLLAMA_NUM_PARALLEL: requests at once per loaded model."""
    max_loaded_models: int = 3
    """OLLAMA_MAX_LOADED_MODELS: models in memory at once."""
    keep_alive: str = "30m"
    """OLLAMA_KEEP_ALIVE: how long an idle model stays in memory, a Go duration."""
    context_length: int = 8192
    """OLLAMA_CONTEXT_LENGTH, in tokens."""
    gpu_memory: Quantity = Quantity("0")
    """Share of card 0, or of the card with most room. Zero: Ollama runs on the CPU."""
    prune: bool = False
    """Whether models that the pool has pulled are removed from the volume once it no longer wants them."""
    resources: dict[str, Any] = {}
    pull_resources: dict[str, Any] = {}
    """Of the pod of each pull, which only asks the server. Absent: what is enough for that."""
    env: list[dict[str, Any]] = []
