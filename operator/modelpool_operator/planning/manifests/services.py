"""Services: one address per engine, for the gateway."""

from collections.abc import Mapping
from types import MappingProxyType

from modelpool_operator.api import names
from modelpool_operator.api.models import Model
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.engines.ollama import models as ollama
from modelpool_operator.planning.engines.ollama import servers as ollama_servers
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.objects.identity import Manifest, metadata
from modelpool_operator.planning.sharing.shares import Placement


def engine_service(pool: ModelPool, model: Model) -> Manifest:
    """Return the Service of one model's own engine."""
    profile, annotations = PROFILES[model.engine], {names.MODEL_ANNOTATION: model.name}
    labels = profile.pod_labels(pool, model)
    return _service(pool, profile.deployment(pool, model), labels, annotations, profile.port)


def ollama_service(pool: ModelPool, placement: Placement) -> Manifest:
    """Return the Service of the pool's Ollama, with a port for each of its servers."""
    beside = ollama_servers.divide(pool.spec, placement.sharing).beside
    second = {names.OLLAMA_CPU_PORT_NAME: names.OLLAMA_CPU_PORT} if beside else {}
    name, labels = names.ollama_name(pool.ref.name), ollama.pod_labels(pool)
    return _service(pool, name, labels, {}, names.OLLAMA_PORT, second)


def _service(
    pool: ModelPool,
    name: str,
    labels: dict[str, str],
    annotations: dict[str, str],
    port: int,
    more: Mapping[str, int] = MappingProxyType({}),
) -> Manifest:
    ports = {names.PORT_NAME: port, **more}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(pool, name, labels, annotations),
        "spec": {
            "ports": [
                {"name": called, "port": number, "protocol": "TCP", "targetPort": called}
                for called, number in ports.items()
            ],
            "selector": labels,
            "type": "ClusterIP",
        },
    }
