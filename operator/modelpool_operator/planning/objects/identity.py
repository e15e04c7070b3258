"""What every child manifest of a pool has in common: identity, labels, owner, and the seal of what was applied."""

import json
from typing import Any, Final, NamedTuple

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool

Manifest = dict[str, Any]
"""A Kubernetes object as plain data, shaped like the YAML it becomes."""


class ChildRef(NamedTuple):
    """The identity of a pool's child; its namespace is the pool's."""

    api_version: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


CLAIM: Final = "PersistentVolumeClaim"

CHILD_KINDS: Final = (
    ("v1", CLAIM),
    ("v1", "ConfigMap"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("resource.k8s.io/v1", "ResourceClaim"),
    ("v1", "Service"),
    ("policy/v1", "PodDisruptionBudget"),
    ("apps/v1", "Deployment"),
    ("batch/v1", "Job"),
)
"""apiVersion and kind of everything the operator owns, in the order in which it is applied. Prune looks at these."""

OPTIONAL_KINDS: Final = frozenset({"ResourceClaim"})
"""Of these, the kinds that an older cluster does not serve: there, no pool has such a child."""


def ref_of(manifest: Manifest) -> ChildRef:
    """Return the identity of a manifest."""
    return ChildRef(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])


def digest(value: Any) -> str:
    """Return a short hash of plain data that does not depend on the order of keys."""
    return names.fingerprint(json.dumps(value, sort_keys=True, separators=(",", ":")), 16)


def selector_labels(pool: ModelPool, component: str, model_label: str | None = None) -> dict[str, str]:
    """Return the labels by which a Deployment or Service finds its pods: never a version, they cannot change."""
    labels = {
        names.NAME_LABEL: component,
        names.INSTANCE_LABEL: names.child_name(pool.ref.name, component),
        names.POOL_LABEL: names.label_value(pool.ref.name),
    }
    return {**labels, names.MODEL_LABEL: model_label} if model_label else labels


def metadata(
    pool: ModelPool,
    name: str,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return a child's metadata: the pool owns it, so that it goes with the pool.

    `blockOwnerDeletion` is left out: to set it, some clusters (OpenShift) ask for the right to change the pool's
    finalizers, and a foreground deletion that waits for the children is nobody's need here.
    """
    owner = {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "name": pool.ref.name,
        "uid": pool.uid,
        "controller": True,
    }
    common = {**names.COMMON_LABELS, names.POOL_LABEL: names.label_value(pool.ref.name)}
    return without_nothing(
        {
            "name": name,
            "namespace": pool.ref.namespace,
            "labels": {**common, **(labels or {})},
            "annotations": annotations,
            "ownerReferences": [owner],
        }
    )


def without_nothing(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields whose value says something: not None, not empty."""
    return {key: value for key, value in fields.items() if value is not None and value != {} and value != []}


def sealed(manifest: Manifest) -> Manifest:
    """Return the manifest with the hash of itself as an annotation, by which a later look knows it."""
    described = manifest["metadata"]
    annotations = {**described.get("annotations", {}), names.APPLIED_ANNOTATION: digest(manifest)}
    return {**manifest, "metadata": {**described, "annotations": annotations}}


def seal_of(live: Manifest) -> str | None:
    """Return the hash of what was applied, as a live object bears it; None of one that was not applied."""
    seal: str | None = (live["metadata"].get("annotations") or {}).get(names.APPLIED_ANNOTATION)
    return seal


def is_going(live: Manifest) -> bool:
    """Return whether an object is being deleted."""
    return bool(live["metadata"].get("deletionTimestamp"))


def model_of(child: Manifest) -> str | None:
    """Return the vLLM model that a Deployment runs."""
    annotations: dict[str, str] = child["metadata"].get("annotations") or {}
    return annotations.get(names.MODEL_ANNOTATION) if child["kind"] == "Deployment" else None


def template_of(deployment: Manifest) -> Any:
    """Return the hash of a Deployment's pod template."""
    metadata = deployment["spec"]["template"].get("metadata") or {}
    return (metadata.get("annotations") or {}).get(names.TEMPLATE_ANNOTATION)


def while_at(version: str) -> dict[str, str]:
    """Return the part of a JSON patch that lets it fail once the object has another resourceVersion."""
    return {"op": "replace", "path": "/metadata/resourceVersion", "value": version}
