"""What the volume of a pool's Ollama holds, what does not fit on it, and what is to be removed. Pure."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.quantity import number_of
from modelpool_operator.planning.engines.ollama import models as ollama
from modelpool_operator.planning.manifests.pull_records import recorded
from modelpool_operator.planning.memory import ollama_library
from modelpool_operator.planning.objects.identity import CLAIM, Manifest, is_going
from modelpool_operator.planning.observation.observed import Observed

GIGABYTE: Final = 10**9
JOB: Final = "Job"


class Volume(NamedTuple):
    """What the volume of a pool's Ollama holds and is to hold, as a pass found it: asked once, and handed on."""

    uid: str | None = None
    recorded: frozenset[str] = frozenset()
    """Models that it holds by Jobs that do not stay."""
    without_a_job: frozenset[str] = frozenset()
    """Of these, those whose Jobs are gone."""
    too_large: Mapping[str, str] = MappingProxyType({})
    """Models whose pull must not begin, with the sum that says so."""
    retired: tuple[str, ...] = ()
    """Models that are to be removed."""


UNKNOWN: Final = Volume()
"""Of a pool at whose volume nobody has looked."""


def volume_of(pool: ModelPool, observed: Observed) -> Volume:
    """Return what there is to say of the volume of a pool's Ollama."""
    uid = volume_uid(pool, observed)
    known = frozenset(recorded(pool, uid, observed))
    return Volume(
        uid=uid,
        recorded=known,
        without_a_job=frozenset(one for one in known if uid and job_of(pool, one, uid, observed) is None),
        too_large=_too_large(pool, uid, known, observed),
        retired=_retired(pool, uid, known, observed),
    )


def volume_uid(pool: ModelPool, observed: Observed) -> str | None:
    """Return what tells the Ollama volume from its successor; the name of a claim that the user brings."""
    brought = pool.spec.ollama.storage.existing_claim
    if brought is not None:
        return brought
    volume = observed.child(CLAIM, names.ollama_name(pool.ref.name))
    return None if volume is None or is_going(volume) else volume["metadata"].get("uid")


def going_uid(pool: ModelPool, observed: Observed) -> str | None:
    """Return the uid of the pool's own volume that goes, and holds what it has for as long as the server runs on it."""
    volume = observed.child(CLAIM, names.ollama_name(pool.ref.name))
    return volume["metadata"].get("uid") if volume is not None and is_going(volume) else None


def job_of(pool: ModelPool, model: str, uid: str, observed: Observed) -> Manifest | None:
    """Return the Job that pulls a model into the volume with a uid, or None."""
    return observed.child(JOB, names.pull_name(pool.ref.name, model, uid))


def condition_of(job: Manifest | None, kind: str) -> Mapping[str, Any]:
    """Return the condition of a Job, where it holds."""
    conditions = ((job or {}).get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if (one.get("type"), one.get("status")) == (kind, "True")), {})


def is_over(job: Manifest | None, kind: str) -> bool:
    """Return whether a Job has a condition."""
    return bool(condition_of(job, kind))


def _too_large(pool: ModelPool, uid: str | None, known: Collection[str], observed: Observed) -> Mapping[str, str]:
    """Return models whose pull must not begin, as the volume cannot hold them, with the sum that says so.

    Pulls that have begun come first, then the others in the spec's order. Sizes that nobody knows count nothing, and so
    does a volume that the user brings.
    """
    capacity = _capacity(pool, observed)
    if capacity is None:
        return {}
    wanted = ollama.models_to_pull(pool.spec)
    begun = {model for model in wanted if uid is not None and job_of(pool, model, uid, observed) is not None}
    begun.update(known)
    held: list[str] = []
    refused: dict[str, str] = {}
    for model in sorted(wanted, key=lambda one: one not in begun):
        size = ollama_library.size_of(model) or 0
        beside = sum(ollama_library.size_of(one) or 0 for one in held)
        if model in begun or size + beside <= capacity:
            held.append(model)
            continue
        others = [f"{_shown(amount)} of {one}" for one in held if (amount := ollama_library.size_of(one))]
        taken = f" beside {', '.join(others)}" if others else ""
        grows = size + beside <= pool.spec.ollama.storage.size.bytes
        then = "it is to grow, and has not yet" if grows else "resize its PersistentVolumeClaim"
        refused[model] = (
            f"{model} takes {_shown(size)} of disk, and the volume of {_shown(capacity)} has"
            f" {_shown(capacity - beside)} left{taken}; {then}"
        )
    return refused


def _capacity(pool: ModelPool, observed: Observed) -> int | None:
    """Return the bytes of the pool's own volume: what it has, else what is asked for, else what is to be asked for.

    A volume that is to grow may never: its StorageClass forbids it, or its disk is full.
    """
    storage = pool.spec.ollama.storage
    if storage.existing_claim is not None:
        return None
    volume = observed.child(CLAIM, names.ollama_name(pool.ref.name)) or {}
    has = (volume.get("status") or {}).get("capacity") or {}
    asks = ((volume.get("spec") or {}).get("resources") or {}).get("requests") or {}
    found = number_of(has.get("storage", asks.get("storage")))
    return storage.size.bytes if found is None else int(found)


def _retired(pool: ModelPool, uid: str | None, known: Collection[str], observed: Observed) -> tuple[str, ...]:
    """Return models that this pool has pulled and no longer wants, where it says that they are to go."""
    wanted = ollama.models_to_pull(pool.spec)
    if not pool.spec.ollama.prune or uid is None or not wanted:
        return ()
    by_jobs = {_model_of(live, names.PULL_COMPONENT) for live in observed.children.values()}
    return tuple(
        sorted(
            model
            for model in {*by_jobs, *known}
            if model is not None
            and model not in wanted
            and (model in known or job_of(pool, model, uid, observed) is not None)
            and not is_over(observed.child(JOB, names.remove_name(pool.ref.name, model, uid)), "Complete")
        )
    )


def _model_of(live: Manifest, component: str) -> str | None:
    """Return the model that a Job of a component is about."""
    metadata = live["metadata"]
    if live["kind"] != JOB or (metadata.get("labels") or {}).get(names.NAME_LABEL) != component:
        return None
    model: str | None = (metadata.get("annotations") or {}).get(names.MODEL_ANNOTATION)
    return model


def _shown(amount: int) -> str:
    """Return bytes as Ollama shows them: `4.9 GB`."""
    return f"{amount / GIGABYTE:.1f} GB"
