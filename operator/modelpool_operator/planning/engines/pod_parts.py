"""The parts of a pod template that every engine has: where it runs, what it may do, what it is called."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool, PoolSpec
from modelpool_operator.planning import sharing
from modelpool_operator.planning.objects.free_forms import REQUIRED
from modelpool_operator.planning.objects.identity import digest, without_nothing
from modelpool_operator.planning.sharing.mode import Access

PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
MOST: Final = 100
"""The weight of what is preferred before everything else."""

CONTAINER_SECURITY: dict[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
"""Of every container. Engines' images run as root; what root could do beyond reading its own files is taken away."""


def environment(own: Mapping[str, str | dict[str, Any]], *users: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return EnvVars: ours sorted by name, then the user's in their order. The later of two with one name wins.

    Args:
        own: values by name; a dictionary stands for `valueFrom`.
        users: lists of EnvVars, the more specific last.
    """
    chosen: dict[str, dict[str, Any]] = {}
    for name, value in sorted(own.items()):
        chosen[name] = {"name": name, "value": value} if isinstance(value, str) else {"name": name, "valueFrom": value}
    for variable in (variable for listed in users for variable in listed):
        chosen.pop(variable["name"], None)
        chosen[variable["name"]] = dict(variable)
    return list(chosen.values())


def resources(wanted: Mapping[str, Any], access: Access) -> dict[str, Any]:
    """Return the user's resources with the cards added. An extended resource's request equals its limit."""
    limits = {**(wanted.get("limits") or {}), **access.limits}
    claims = [*(wanted.get("claims") or ()), *({"name": name} for name in access.claims)]
    return {**wanted, **({"limits": limits} if limits else {}), **({"claims": claims} if claims else {})}


def affinity(spec: PoolSpec, pool_name: str, model_label: str | None, *, on_card: bool) -> dict[str, Any] | None:
    """Return where a pod may stand relative to others, beside what the user wants.

    Engines of one pool share a card and a volume, so they stand on one node: each one's affinity is to the pool's
    label, and the scheduler lets the first one through. A pool with replicas is on several nodes; there, at most one
    replica of a model stands on each, as the plan of a card has room for one. Where each engine has whole cards that
    the scheduler counts, replicas prefer nodes of their own, and share one where they have to.
    """
    if not on_card:
        return spec.affinity
    replicated = spec.replicated
    labels = {names.POOL_LABEL: names.label_value(pool_name), names.CARD_LABEL: "true"}
    if replicated and model_label is None:
        return spec.affinity
    kind = "podAntiAffinity" if replicated else "podAffinity"
    chosen = {**labels, names.MODEL_LABEL: model_label} if replicated else labels
    term: dict[str, Any] = {"labelSelector": {"matchLabels": chosen}, "topologyKey": names.HOSTNAME_LABEL}
    theirs = dict(spec.affinity or {})
    mine, field = dict(theirs.get(kind) or {}), REQUIRED
    if replicated and sharing.mode_of(spec).whole_cards:
        term, field = {"podAffinityTerm": term, "weight": MOST}, PREFERRED
    mine[field] = [*(mine.get(field) or ()), term]
    return {**theirs, kind: mine}


def template(
    pool: ModelPool,
    *,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    container: Mapping[str, Any],
    beside: Sequence[Mapping[str, Any]] = (),
    volumes: list[dict[str, Any]],
    grace_seconds: int,
    access: Access,
    pod_affinity: dict[str, Any] | None,
    security: Mapping[str, Any] | None = None,
    restart_policy: str | None = None,
) -> dict[str, Any]:
    """Return a pod template. Its hash, an annotation, is the only notion of "out of date"."""
    spec = without_nothing(
        {
            "affinity": pod_affinity,
            "automountServiceAccountToken": False,
            "containers": [container, *beside],
            "enableServiceLinks": False,
            "imagePullSecrets": [dict(secret) for secret in pool.spec.image_pull_secrets],
            "nodeSelector": dict(pool.spec.node_selector),
            "priorityClassName": pool.spec.priority_class_name,
            "resourceClaims": [{"name": name, "resourceClaimName": claim} for name, claim in access.claims.items()],
            "restartPolicy": restart_policy,
            "runtimeClassName": access.runtime_class_name,
            "securityContext": {
                "seccompProfile": {"type": "RuntimeDefault"},
                **({} if pool.spec.fs_group is None else {"fsGroup": pool.spec.fs_group}),
                **(security or {}),
            },
            # The older name of the next field, which the API server fills in: only who holds both is rid of both.
            "serviceAccount": pool.spec.service_account_name,
            "serviceAccountName": pool.spec.service_account_name,
            "terminationGracePeriodSeconds": grace_seconds,
            "tolerations": [dict(toleration) for toleration in pool.spec.tolerations],
            "volumes": volumes,
        }
    )
    described = {
        "labels": {**pool.spec.pod_labels, **labels},
        "annotations": {**pool.spec.pod_annotations, **access.annotations, **annotations},
    }
    stamp = digest({"metadata": described, "spec": spec})
    described["annotations"][names.TEMPLATE_ANNOTATION] = stamp
    return {"metadata": described, "spec": spec}


def cache_claim(pool: ModelPool) -> str:
    """Return the claim that holds the pool's weights and card locks."""
    return pool.spec.cache.existing_claim or names.cache_name(pool.ref.name)
