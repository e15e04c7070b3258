"""PersistentVolumeClaims: the weights of vLLM's models with the card locks, and Ollama's models.

Of a claim that is there, two things can change: it may grow, where its StorageClass lets it, and it may outlive the
pool or go with it. Everything else stays as the API server has it, and so does what somebody has enlarged by hand;
where the pool says otherwise, it is told so. The operator deletes no claim: hours of download lie on it.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.quantity import Quantity
from modelpool_operator.api.servers import OnDelete
from modelpool_operator.planning.objects.identity import CLAIM, Manifest, is_going, metadata, ref_of, without_nothing
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement.access_modes import MANY

OUTLIVES: Final = "is to outlive the pool"


def cache_volume(pool: ModelPool) -> Manifest | None:
    """Return the claim for weights and locks, or None when the user brings one.

    Replicas stand on several nodes, which only a ReadWriteMany volume can serve.
    """
    cache, several = pool.spec.cache, pool.spec.replicated
    if cache.existing_claim is not None:
        return None
    mode, name = MANY if several else "ReadWriteOnce", names.cache_name(pool.ref.name)
    return _claim(pool, name, cache.size, cache.storage_class_name, mode, cache.on_delete)


def ollama_volume(pool: ModelPool) -> Manifest | None:
    """Return the claim for Ollama's models, or None when the user brings one."""
    storage, name = pool.spec.ollama.storage, names.ollama_name(pool.ref.name)
    if storage.existing_claim is not None:
        return None
    return _claim(pool, name, storage.size, storage.storage_class_name, "ReadWriteOnce", storage.on_delete)


def is_retained(claim: Manifest) -> bool:
    """Return whether a claim was made to outlive its pool, and nobody's controller owns it."""
    described = claim["metadata"]
    retained = (described.get("annotations") or {}).get(names.ON_DELETE_ANNOTATION) == OnDelete.RETAIN.value
    owned = any(owner.get("controller") for owner in described.get("ownerReferences") or ())
    return claim["kind"] == CLAIM and retained and not owned


def is_bound(claim: Manifest) -> bool:
    """Return whether a claim has a volume, so that something may lie on it."""
    return bool((claim.get("spec") or {}).get("volumeName"))


def change_of(wanted: Manifest, live: Manifest) -> str | None:
    """Return what is to be changed of a claim that is there, or None. One without a volume cannot grow."""
    if _requested(wanted) > _requested(live) and is_bound(live):
        return f"grows to {wanted['spec']['resources']['requests']['storage']}"
    if is_retained(wanted) != is_retained(live):
        return OUTLIVES if is_retained(wanted) else "is to go with the pool"
    return None


def to_be_retained(pool: ModelPool, observed: Observed) -> Iterator[Manifest]:
    """Yield the claims that are there and are to outlive the pool, as large as they are, whether or not it has a plan.

    Who wants to keep the weights says so before the pool goes; that it is refused must not cost them.
    """
    for wanted in (cache_volume(pool), ollama_volume(pool)):
        live = observed.children.get(ref_of(wanted)) if wanted is not None else None
        if wanted is None or live is None or is_going(live) or not is_retained(wanted) or is_retained(live):
            continue
        claim = as_changed(wanted, live)
        requests = {"storage": live["spec"]["resources"]["requests"]["storage"]}
        yield {**claim, "spec": {**claim["spec"], "resources": {"requests": requests}}}


def as_changed(wanted: Manifest, live: Manifest) -> Manifest:
    """Return the wanted claim with what cannot change as it is."""
    requests: dict[str, Any] = wanted["spec"]["resources"]["requests"]
    if _requested(live) > _requested(wanted):
        requests = {"storage": live["spec"]["resources"]["requests"]["storage"]}
    kept = {key: live["spec"][key] for key in ("accessModes", "storageClassName") if key in wanted["spec"]}
    return {**wanted, "spec": {**wanted["spec"], **kept, "resources": {"requests": requests}}}


def notes_on(pool: ModelPool, wanted: Iterable[Manifest], observed: Observed) -> Iterator[str]:
    """Yield what the pool says of its volumes and cannot have, as they are there already."""
    for claim in wanted:
        name = claim["metadata"]["name"]
        live = observed.child(claim["kind"], name) if claim["kind"] == CLAIM else None
        if live is None or is_going(live):
            continue
        field = "cache" if name == names.cache_name(pool.ref.name) else "ollama.storage"
        for own, have in _differences(claim, live):
            if is_bound(live):
                why = "that of a volume cannot change" if own[0] == "storageClassName" else "a volume cannot shrink"
                yield f"`{field}.{own[0]}` is {own[1]}, and PersistentVolumeClaim {name} has {have}: {why}, so it stays"
            else:
                delete = f"`kubectl delete persistentvolumeclaim {name} --namespace {pool.ref.namespace}`"
                yield (
                    f"`{field}.{own[0]}` is {own[1]}, and PersistentVolumeClaim {name} was made with {have} and has no"
                    f" volume yet: {delete}, and it is made anew"
                )


def _differences(wanted: Manifest, live: Manifest) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield fields with what the pool wants, each with what the claim has."""
    larger = _requested(live) > _requested(wanted)
    if larger or (_requested(live) != _requested(wanted) and not is_bound(live)):
        yield (
            ("size", wanted["spec"]["resources"]["requests"]["storage"]),
            live["spec"]["resources"]["requests"]["storage"],
        )
    storage_class = wanted["spec"].get("storageClassName")
    if storage_class is not None and storage_class != live["spec"].get("storageClassName"):
        yield ("storageClassName", f"'{storage_class}'"), f"'{live['spec'].get('storageClassName') or ''}'"


def _requested(claim: Manifest) -> int:
    requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return Quantity(str(requests.get("storage", "0"))).bytes


def _claim(
    pool: ModelPool, name: str, size: Quantity, storage_class: str | None, mode: str, on_delete: OnDelete
) -> Manifest:
    retained = on_delete is OnDelete.RETAIN
    described = metadata(pool, name, None, {names.ON_DELETE_ANNOTATION: on_delete.value} if retained else None)
    if retained:
        del described["ownerReferences"]
    return {
        "apiVersion": "v1",
        "kind": CLAIM,
        "metadata": described,
        "spec": without_nothing(
            {
                "accessModes": [mode],
                "resources": {"requests": {"storage": size.text}},
                "storageClassName": storage_class,
            }
        ),
    }
