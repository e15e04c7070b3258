"""What a cluster needs before it is of use, and what a GPU node and a volume look like. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..fakenodes import nodes
from . import addresses, configuration

STORAGE_CLASS = "node"


_META = {"name": "coredns"}
BASICS: tuple[dict[str, Any], ...] = (
    nodes.RUNTIME_CLASS_MANIFEST,
    {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": _META,
        "rules": [
            {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        ],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": _META,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "coredns"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": configuration.DNS.user}],
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {
            "clusterIP": addresses.DNS_SERVICE,
            "ports": [{"name": name.lower(), "protocol": name, "port": 53} for name in ("UDP", "TCP")],
        },
    },
    {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kube-dns",
            "namespace": "kube-system",
            "labels": {"kubernetes.io/service-name": "kube-dns"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [addresses.ADDRESS], "conditions": {"ready": True}}],
        "ports": [{"name": name.lower(), "protocol": name, "port": 53} for name in ("UDP", "TCP")],
    },
)
"""A default StorageClass whose volumes somebody offers, NVIDIA's RuntimeClass, and the way to the DNS server, which is
no pod."""


def volume(name: str, folder: Path, size: str) -> dict[str, Any]:
    """Return a PersistentVolume that is a folder of the node."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
            "storageClassName": STORAGE_CLASS,
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": str(folder), "type": "Directory"},
        },
    }
