"""The kinds we read and write, with their paths on the API server.

A table and not discovery: the set is closed, so no request is spent on asking, nothing is cached on disk, and a role
that forbids discovery suffices.
"""

from typing import Final, NamedTuple

from modelpool_operator.api import names
from modelpool_operator.planning.objects import identity


class Kind(NamedTuple):
    """One kind of object."""

    api_version: str
    kind: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the path of a collection, an object or a subresource; no namespace means all, or none to be in."""
        prefix = "apis" if "/" in self.api_version else "api"
        scope = f"/namespaces/{namespace}" if namespace else ""
        parts = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"/{prefix}/{self.api_version}{scope}/{self.plural}{parts}"


POOLS: Final = Kind(names.API_VERSION, names.KIND, names.PLURAL)
PODS: Final = Kind("v1", "Pod", "pods")
NODES: Final = Kind("v1", "Node", "nodes")
SECRETS: Final = Kind("v1", "Secret", "secrets")
EVENTS: Final = Kind("v1", "Event", "events")
ENDPOINT_SLICES: Final = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
LEASES: Final = Kind("coordination.k8s.io/v1", "Lease", "leases")
RESOURCE_SLICES: Final = Kind("resource.k8s.io/v1", "ResourceSlice", "resourceslices")
DEVICE_CLASSES: Final = Kind("resource.k8s.io/v1", "DeviceClass", "deviceclasses")
RUNTIME_CLASSES: Final = Kind("node.k8s.io/v1", "RuntimeClass", "runtimeclasses")

_PLURALS: Final = {
    "ConfigMap": "configmaps",
    "Deployment": "deployments",
    "Job": "jobs",
    "NetworkPolicy": "networkpolicies",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "ResourceClaim": "resourceclaims",
    "Service": "services",
}

CHILDREN: Final = tuple(Kind(version, kind, _PLURALS[kind]) for version, kind in identity.CHILD_KINDS)
"""What the operator owns, in the order of planning's list."""

_BY_NAME: Final = {(kind.api_version, kind.kind): kind for kind in CHILDREN}


def child(api_version: str, kind: str) -> Kind:
    """Return the kind of a child.

    Raises:
        KeyError: planning made an object of a kind that prune would not find; a bug.
    """
    return _BY_NAME[api_version, kind]
