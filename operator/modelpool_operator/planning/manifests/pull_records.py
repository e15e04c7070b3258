"""Which models a volume holds although no Job says so any more. Pure.

A Job that is complete is the record that its model was pulled. Policies of a cluster give Jobs a time to live, after
which Kubernetes removes them; without another record the model would be pulled again and again. So what such a Job has
done is kept as an annotation of the pool's Ollama Deployment, with the volume that it is about.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.engines.ollama import models as ollama
from modelpool_operator.planning.objects.identity import Manifest
from modelpool_operator.planning.observation.observed import Observed

_BEFORE: Final = 0
"""When what the annotation tells was: before everything that was seen since."""


def recorded(pool: ModelPool, volume_uid: str | None, observed: Observed) -> tuple[str, ...]:
    """Return the models that were pulled into the present volume by Jobs that do not stay."""
    if volume_uid is None:
        return ()
    told = _told(pool, volume_uid, observed)
    ended = {**observed.ended, **_passing(observed)}
    found = []
    for model in sorted({*told, *ollama.models_to_pull(pool.spec)}):
        pulled = ended.get(names.pull_name(pool.ref.name, model, volume_uid), _BEFORE if model in told else None)
        removed = ended.get(names.remove_name(pool.ref.name, model, volume_uid))
        if pulled is not None and (removed is None or removed < pulled):
            found.append(model)
    return tuple(found)


def annotation(models: Iterable[str], volume_uid: str | None) -> dict[str, str]:
    """Return the annotation that keeps the record; none where there is nothing to keep."""
    kept = sorted(models)
    return {names.PULLED_ANNOTATION: json.dumps({"volume": volume_uid, "models": kept})} if kept else {}


def does_not_stay(job: Manifest) -> bool:
    """Return whether a Job has done its work and goes by itself, as no Job of ours is made to."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    done = any((one.get("type"), one.get("status")) == ("Complete", "True") for one in conditions)
    return done and job["spec"].get("ttlSecondsAfterFinished") is not None


def _told(pool: ModelPool, volume_uid: str, observed: Observed) -> frozenset[str]:
    server = observed.child("Deployment", names.ollama_name(pool.ref.name)) or {}
    text = ((server.get("metadata") or {}).get("annotations") or {}).get(names.PULLED_ANNOTATION, "")
    try:
        said: Any = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return frozenset()
    if not isinstance(said, Mapping) or said.get("volume") != volume_uid or not isinstance(said.get("models"), list):
        return frozenset()
    return frozenset(str(model) for model in said["models"])


def _passing(observed: Observed) -> Mapping[str, int]:
    """Return the complete Jobs that are there and will go."""
    jobs = (live["metadata"] for ref, live in observed.children.items() if ref.kind == "Job" and does_not_stay(live))
    return {one["name"]: int(one.get("resourceVersion") or 0) for one in jobs}
