"""Volumes that are not let in, that nobody makes, that are gone or go. Claims and controllers are real."""

from typing import Final

from happenings import claim_is_deleted, volume_is_deleted
from situation import Situation

SLOW_CLASS: Final = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "network-disks"},
    "provisioner": "disks.example.com",
    "volumeBindingMode": "WaitForFirstConsumer",
}
QUOTA: Final = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "disks"},
    "spec": {"hard": {"requests.storage": "50Gi"}},
}
BOUNDS: Final = {
    "apiVersion": "v1",
    "kind": "LimitRange",
    "metadata": {"name": "disks"},
    "spec": {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "10Gi"}}]},
}

SITUATIONS: Final = (
    Situation(
        title="Nobody provisions",
        model="falcon3:1b",
        reason="VolumePending",
        cause="Waiting for a volume to be created either by the external provisioner 'disks.example.com'",
        advice="Check that the provisioner disks.example.com runs",
        spec={"cache": {"storageClassName": "network-disks"}},
        laws=(SLOW_CLASS,),
    ),
    Situation(
        title="No such StorageClass",
        model="falcon3:3b",
        reason="VolumePending",
        cause='storageclass.storage.k8s.io "fast" not found',
        advice="Name a StorageClass that `kubectl get storageclasses` shows in `cache.storageClassName`",
        spec={"cache": {"storageClassName": "fast"}},
    ),
    Situation(
        title="Quota on volumes",
        model="granite3.3:2b",
        reason="VolumeDenied",
        cause="exceeded quota: disks, requested: requests.storage=100Gi, used: requests.storage=0",
        advice="Lower `cache.size`, or have the quota raised",
        laws=(QUOTA,),
    ),
    Situation(
        title="LimitRange on volumes",
        model="smollm2:1.7b",
        reason="VolumeDenied",
        cause="maximum storage usage per PersistentVolumeClaim is 10Gi, but request is 100Gi",
        advice="Lower `cache.size`, or have the limit raised",
        laws=(BOUNDS,),
    ),
    Situation(
        title="No such claim",
        model="phi4-mini:3.8b",
        reason="VolumeMissing",
        cause="PersistentVolumeClaim weights does not exist",
        advice="which `cache.existingClaim` names",
        spec={"cache": {"existingClaim": "weights"}},
    ),
    Situation(
        title="Claim deleted",
        model="qwen2.5:7b",
        reason="VolumeDeleted",
        cause="PersistentVolumeClaim claim-deleted-cache was deleted",
        advice="ends those that still use it; then another one is made",
        about={"gpuMemoryFraction": 0.3},
        beside=("qwen2.5:3b",),
        happens=claim_is_deleted,
    ),
    Situation(
        title="Volume deleted",
        model="qwen3:4b",
        reason="VolumeLost",
        cause="PersistentVolumeClaim volume-deleted-cache has lost its volume",
        advice="`kubectl delete persistentvolumeclaim volume-deleted-cache",
        happens=volume_is_deleted,
    ),
)
