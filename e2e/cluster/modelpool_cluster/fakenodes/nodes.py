"""Manifests of GPU nodes as NVIDIA's device plugin and feature discovery leave them. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

HELD_PREFIX = "held-"
"""Pods on nodes with such names are scheduled and then left alone; `stages.yaml` says so too."""

MANAGED_ANNOTATION = "kwok.x-k8s.io/node"
RUNTIME_CLASS = "nvidia"
STORAGE_CLASS = "kwok"

RUNTIME_CLASS_MANIFEST: dict[str, Any] = {
    "apiVersion": "node.k8s.io/v1",
    "kind": "RuntimeClass",
    "metadata": {"name": RUNTIME_CLASS},
    "handler": "nvidia",
}
STORAGE_CLASS_MANIFEST: dict[str, Any] = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": STORAGE_CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "kwok.modelpool.dev/volumes",
    "volumeBindingMode": "Immediate",
}

_CONDITIONS = (
    ("Ready", "True", "KubeletReady"),
    ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID"),
    ("NetworkUnavailable", "False", "RouteCreated"),
)


def gpu_node(
    name: str,
    *,
    gpus: int,
    replicas: int,
    memory_mib: int,
    product: str,
    resource_name: str,
    labels: Mapping[str, str],
    address: str,
    now: datetime.datetime,
) -> dict[str, Any]:
    """Return a Node with `gpus` cards of `memory_mib` each, every card shared by time-slicing into `replicas`.

    As with the real device plugin, what can be allocated is cards times replicas, `nvidia.com/gpu.count` stays the
    number of cards, and a shared card's product is marked.
    """
    time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    shared = replicas > 1
    capacity = {"cpu": "64", "memory": "512Gi", "ephemeral-storage": "1Ti", "pods": "110"}
    if gpus:
        capacity[resource_name] = str(gpus * replicas)
    gpu_labels = {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.count": str(gpus),
        "nvidia.com/gpu.memory": str(memory_mib),
        "nvidia.com/gpu.product": f"{product}-SHARED" if shared and resource_name == "nvidia.com/gpu" else product,
        "nvidia.com/gpu.replicas": str(replicas),
        "nvidia.com/gpu.sharing-strategy": "time-slicing" if shared else "none",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {MANAGED_ANNOTATION: "fake"},
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                **(gpu_labels if gpus else {}),
                **labels,
            },
        },
        "status": {
            "allocatable": capacity,
            "capacity": capacity,
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "conditions": [
                {
                    "type": kind,
                    "status": status,
                    "reason": reason,
                    "lastHeartbeatTime": time,
                    "lastTransitionTime": time,
                }
                for kind, status, reason in _CONDITIONS
            ],
            "nodeInfo": {
                "architecture": "amd64",
                "operatingSystem": "linux",
                "kubeletVersion": "fake",
                "kubeProxyVersion": "fake",
                "containerRuntimeVersion": "fake",
                "kernelVersion": "fake",
                "osImage": "fake",
                "bootID": "",
                "machineID": "",
                "systemUUID": "",
            },
        },
    }
