"""Services: one address per engine, for the gateway."""

from modelpool_operator.api import names
from modelpool_operator.api.models import Model
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.engines import ollama, vllm
from modelpool_operator.planning.manifests import Manifest, metadata


def vllm_service(pool: ModelPool, model: Model, name: str) -> Manifest:
    """Return the Service of one vLLM model."""
    annotations = {names.MODEL_ANNOTATION: model.name}
    return _service(pool, name, vllm.pod_labels(pool, model), annotations, names.VLLM_PORT)


def ollama_service(pool: ModelPool) -> Manifest:
    """Return the Service of the pool's Ollama."""
    return _service(pool, names.ollama_name(pool.ref.name), ollama.pod_labels(pool), {}, names.OLLAMA_PORT)


def _service(pool: ModelPool, name: str, labels: dict[str, str], annotations: dict[str, str], port: int) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(pool, name, labels, annotations),
        "spec": {
            "ports": [{"name": names.PORT_NAME, "port": port, "protocol": "TCP", "targetPort": names.PORT_NAME}],
            "selector": labels,
            "type": "ClusterIP",
        },
    }
