"""Routes that a test writes in the operator's place: a pool that the operator refuses, and the ConfigMap it owns.

The gateway takes a ConfigMap only from a ModelPool that is there. This pool does not fit on its card, so no operator
writes anything for it.
"""

import json
from typing import Any, Final

from modelpool_cluster.cluster import Cluster

NAME: Final = "by-hand"
MAP: Final = f"{NAME}-routes"

_MODEL: Final = {"engine": "vllm", "source": "hf://Qwen/Qwen3-8B-AWQ", "gpuMemory": "20Gi"}

Object = dict[str, Any]


def manifest(name: str = NAME) -> Object:
    """Return a ModelPool that is refused: two models of 20 GiB each for one card of 24."""
    models = [{"name": one, **_MODEL} for one in ("too", "much")]
    spec = {"gpus": {"memory": "24Gi"}, "ollama": {"enabled": False}, "models": models}
    return {"apiVersion": "modelpool.dev/v1alpha1", "kind": "ModelPool", "metadata": {"name": name}, "spec": spec}


def owner_of(pool: Object) -> Object:
    """Return the reference by which a pool owns its ConfigMap."""
    metadata = pool["metadata"]
    return {
        "apiVersion": pool["apiVersion"],
        "kind": pool["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }


def data(namespace: str, models: list[Object], *, name: str = NAME, **more: object) -> dict[str, str]:
    """Return the content of a pool's ConfigMap; `more` goes into the document."""
    document = {"version": 1, "pool": {"namespace": namespace, "name": name}, "models": models, **more}
    return {"routes.json": json.dumps(document)}


def config_map(owner: Object | None, content: dict[str, str], *, name: str = MAP) -> Object:
    """Return the ConfigMap."""
    metadata: Object = {"name": name, "labels": {"modelpool.dev/routes": "true"}}
    if owner is not None:
        metadata["ownerReferences"] = [owner]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": content}


def pools(namespace: str) -> str:
    """Return the path of a namespace's pools."""
    return f"/apis/modelpool.dev/v1alpha1/namespaces/{namespace}/modelpools"


def config_maps(namespace: str) -> str:
    """Return the path of a namespace's ConfigMaps."""
    return f"/api/v1/namespaces/{namespace}/configmaps"


def written(cluster: Cluster, namespace: str, models: list[Object]) -> Object:
    """Make pool and ConfigMap, and return the ConfigMap."""
    pool = cluster.api.create(pools(namespace), manifest())
    return cluster.api.create(config_maps(namespace), config_map(owner_of(pool), data(namespace, models)))


def endpoint_slice(service: str, address: str, port: int) -> Object:
    """Return an EndpointSlice of a Service that needs not be there: one ready address."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{service}-by-hand", "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv6" if ":" in address else "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
    }


def slices(namespace: str) -> str:
    """Return the path of a namespace's EndpointSlices."""
    return f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
