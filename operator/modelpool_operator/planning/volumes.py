"""PersistentVolumeClaims: the weights of vLLM's models with the card locks, and Ollama's models.

A claim's spec cannot change once it is made, so a claim is applied when it is absent and left alone afterwards.
"""

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.quantity import Quantity
from modelpool_operator.planning.manifests import Manifest, metadata, without_nothing


def cache_volume(pool: ModelPool) -> Manifest | None:
    """Return the claim for weights and locks, or None when the user brings one.

    Replicas stand on several nodes, which only a ReadWriteMany volume can serve.
    """
    cache, several = pool.spec.cache, any(model.most_replicas > 1 for model in pool.spec.models)
    if cache.existing_claim is not None:
        return None
    mode = "ReadWriteMany" if several else "ReadWriteOnce"
    return _claim(pool, names.cache_name(pool.ref.name), cache.size, cache.storage_class_name, mode)


def ollama_volume(pool: ModelPool) -> Manifest | None:
    """Return the claim for Ollama's models, or None when the user brings one."""
    storage = pool.spec.ollama.storage
    if storage.existing_claim is not None:
        return None
    return _claim(pool, names.ollama_name(pool.ref.name), storage.size, storage.storage_class_name, "ReadWriteOnce")


def _claim(pool: ModelPool, name: str, size: Quantity, storage_class: str | None, mode: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(pool, name),
        "spec": without_nothing(
            {
                "accessModes": [mode],
                "resources": {"requests": {"storage": size.text}},
                "storageClassName": storage_class,
            }
        ),
    }
