"""A pool in trouble: what it asks for, what stands in its way, what happens to it, and the words its user must read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from modelpool_under_test.processes.pools import Pool

Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A pool in trouble."""

    title: str
    model: str
    reason: str
    """In the column REASON."""
    cause: str
    """What of the message names the cause."""
    advice: str
    """What of the message says what to do."""
    happens: Callable[["Situation", Pool], None] = lambda situation, pool: None
    spec: Object = field(default_factory=dict)
    """Of the pool, beside its models."""
    about: Object = field(default_factory=dict)
    """Of the model."""
    elder: bool = False
    """Whether an older pool has a model of that name."""
    beside: tuple[str, ...] = ()
    """Names of other models of the pool, which are well."""
    laws: tuple[Object, ...] = ()
    """What was made before the pool: quotas, bounds, classes. Where one has a namespace, the pool is alone in it."""
    namespace_labels: Object = field(default_factory=dict)
    """Of the namespace that the pool has of its own."""

    @property
    def name(self) -> str:
        """The pool's name: what is wrong with it, for whoever reads `kubectl get mp`."""
        return "".join(letter if letter.isalnum() else "-" for letter in self.title.lower())

    @property
    def is_apart(self) -> bool:
        """Whether what stands in its way would stand in others' way, too."""
        return bool(self.namespace_labels) or any(law["kind"] != "StorageClass" for law in self.laws)

    def manifest(self, node: str, name: str | None = None) -> Object:
        """Return the pool; its pods go to a node of that name."""
        model = {
            "name": self.model,
            "engine": "vllm",
            "source": "hf://google/gemma-3-4b-it",
            "weights": "4Gi",
            "contextLength": 4096,
            "gpuMemoryFraction": 0.35,
            **self.about,
        }
        others = [{**model, "name": other} for other in self.beside]
        if model["engine"] == "ollama":
            model = {key: model[key] for key in ("name", "engine")}
        spec = {
            "gpus": {"memory": "24Gi"},
            "nodeSelector": {"kubernetes.io/hostname": node},
            "ollama": {"enabled": model["engine"] == "ollama"},
            "models": [model, *others],
            **self.spec,
        }
        return {
            "apiVersion": "modelpool.dev/v1alpha1",
            "kind": "ModelPool",
            "metadata": {"name": name or self.name},
            "spec": spec,
        }
