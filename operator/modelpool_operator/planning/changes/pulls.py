"""What Ollama's volume is to hold: which models are pulled, how far they are, what does not fit, and what is removed.

A Job that is complete is the record that the volume holds its model; a pool's pulls are never forgotten while their
Jobs are there. Pure.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.quantity import number_of
from modelpool_operator.api.status import ModelState
from modelpool_operator.planning.engines.ollama import models as ollama
from modelpool_operator.planning.manifests.pull_records import recorded
from modelpool_operator.planning.memory import ollama_library
from modelpool_operator.planning.objects.identity import CLAIM, ChildRef, Manifest, is_going
from modelpool_operator.planning.observation import denials, log_lines, pod_states
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_states import State
from modelpool_operator.planning.observation.pod_views import PodView

GIGABYTE: Final = 10**9
_BLOCKED: Final = pod_states.IMAGE_REASONS | {"InitContainerFailed"}
"""Reasons for which a pull does not begin."""
JOB: Final = "Job"
DENIED: Final = "The pull's pod was not let in"
"""How the message of a pull begins whose pod was refused."""


def volume_uid(pool: ModelPool, observed: Observed) -> str | None:
    """Return what tells the Ollama volume from its successor; the name of a claim that the user brings."""
    brought = pool.spec.ollama.storage.existing_claim
    if brought is not None:
        return brought
    volume = observed.child(CLAIM, names.ollama_name(pool.ref.name))
    return None if volume is None or is_going(volume) else volume["metadata"].get("uid")


def _going_uid(pool: ModelPool, observed: Observed) -> str | None:
    """Return the uid of the pool's own volume that goes, and holds what it has for as long as the server runs on it."""
    volume = observed.child(CLAIM, names.ollama_name(pool.ref.name))
    return volume["metadata"].get("uid") if volume is not None and is_going(volume) else None


def too_large(pool: ModelPool, observed: Observed) -> Mapping[str, str]:
    """Return models whose pull must not begin, as the volume cannot hold them, with the sum that says so.

    Pulls that have begun come first, then the others in the spec's order. Sizes that nobody knows count nothing, and so
    does a volume that the user brings.
    """
    capacity = _capacity(pool, observed)
    if capacity is None:
        return {}
    uid, wanted = volume_uid(pool, observed), ollama.models_to_pull(pool.spec)
    begun = {model for model in wanted if uid is not None and _job(pool, model, uid, observed) is not None}
    begun.update(recorded(pool, uid, observed))
    held: list[str] = []
    refused: dict[str, str] = {}
    for model in sorted(wanted, key=lambda one: one not in begun):
        size = ollama_library.size_of(model) or 0
        beside = sum(ollama_library.size_of(one) or 0 for one in held)
        if model in begun or size + beside <= capacity:
            held.append(model)
            continue
        others = [f"{_shown(known)} of {one}" for one in held if (known := ollama_library.size_of(one))]
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


def retired(pool: ModelPool, observed: Observed) -> tuple[str, ...]:
    """Return models that this pool has pulled and no longer wants, where it says that they are to go."""
    uid, wanted = volume_uid(pool, observed), ollama.models_to_pull(pool.spec)
    if not pool.spec.ollama.prune or uid is None or not wanted:
        return ()
    by_jobs = {_model_of(live, names.PULL_COMPONENT) for live in observed.children.values()}
    known = recorded(pool, uid, observed)
    return tuple(
        sorted(
            model
            for model in {*by_jobs, *known}
            if model is not None
            and model not in wanted
            and (model in known or _job(pool, model, uid, observed) is not None)
            and not _is_over(observed.child(JOB, names.remove_name(pool.ref.name, model, uid)), "Complete")
        )
    )


def done_without_a_job(pool: ModelPool, observed: Observed) -> Collection[str]:
    """Return models that are pulled, and whose Jobs are gone."""
    uid = volume_uid(pool, observed)
    return {model for model in recorded(pool, uid, observed) if uid and _job(pool, model, uid, observed) is None}


def kept_records(pool: ModelPool, observed: Observed) -> Collection[ChildRef]:
    """Return pull Jobs that no pull needs: they stay until their model is removed, or the volume that goes is gone."""
    uid = volume_uid(pool, observed)
    leaving = {names.pull_name(pool.ref.name, model, uid) for model in retired(pool, observed) if uid is not None}
    if (going := _going_uid(pool, observed)) is not None:
        done = {names.pull_name(pool.ref.name, model, going) for model in ollama.models_to_pull(pool.spec)}
        leaving |= {name for name in done if _is_over(observed.child(JOB, name), "Complete")}
    return {ref for ref in observed.children if ref.kind == JOB and ref.name in leaving}


def void_records(pool: ModelPool, observed: Observed) -> Collection[ChildRef]:
    """Return pull Jobs that have to be made again: those that gave up, and those whose model was removed since."""
    uid = volume_uid(pool, observed)
    void: set[ChildRef] = set()
    if uid is None:
        return void
    for model in ollama.models_to_pull(pool.spec):
        removed = observed.child(JOB, names.remove_name(pool.ref.name, model, uid)) is not None
        name = names.pull_name(pool.ref.name, model, uid)
        if removed or _is_over(observed.child(JOB, name), "Failed"):
            void.update(ref for ref in observed.children if (ref.kind, ref.name) == (JOB, name))
    return void


def outdated(wanted: Mapping[ChildRef, Manifest], observed: Observed) -> Collection[ChildRef]:
    """Return Jobs that have not ended and would run another pod now: a Job cannot change, so they are made again."""
    return {
        ref
        for ref, live in observed.children.items()
        if ref.kind == JOB and ref in wanted and not _is_over(live, "Complete") and _pod(live) != _pod(wanted[ref])
    }


def _pod(job: Manifest) -> Any:
    """Return the hash of the pod that a Job runs."""
    annotations = (job["spec"]["template"].get("metadata") or {}).get("annotations") or {}
    return annotations.get(names.TEMPLATE_ANNOTATION)


def state_of(pool: ModelPool, model: str, observed: Observed) -> State:
    """Return how far the pull of a model into the present volume has come."""
    uid = volume_uid(pool, observed) or _going_uid(pool, observed)
    job = _job(pool, model, uid, observed) if uid is not None else None
    if job is None:
        if model in recorded(pool, uid, observed):
            return State(state=ModelState.READY, reason="Ready")
        if (why := too_large(pool, observed).get(model)) is not None:
            return State(state=ModelState.FAILED, reason="VolumeTooSmall", message=why)
        return State(state=ModelState.PENDING, reason="PullNotStarted", message=f"The pull of {model} has not started")
    if _is_over(job, "Complete"):
        return State(state=ModelState.READY, reason="Ready")
    pods = [pod for pod in observed.pods if pod.component == names.PULL_COMPONENT and pod.model == model]
    newest = max(pods, key=lambda pod: pod.created, default=None)
    if newest is None and not _is_over(job, "Failed") and not (job.get("status") or {}).get("active"):
        return _without_a_pod(job, observed)
    error = _error(newest)
    if _is_over(job, "Failed") or (newest is not None and _waits_after_failure(newest)):
        why = error or _condition(job, "Failed").get("message") or "no reason was given"
        message = f"Could not pull {model}: {why}; it is tried again"
        return State(state=ModelState.FAILED, reason="PullFailed", message=message)
    seen = pod_states.state_of(newest) if newest is not None else None
    if seen is not None and (seen.state is ModelState.UNSCHEDULABLE or seen.reason in _BLOCKED):
        return seen
    if newest is not None and (beside := _outlived_by(newest)) is not None:
        message = f"The pull of {model} has ended, and container {beside}, which is not the operator's, keeps its pod"
        return State(state=ModelState.FAILED, reason="PullHeldOpen", message=message)
    done = log_lines.pulled(newest) if newest else None
    message = f"Pulling {model}" + (f", {done}" if done else "") + (f"; the last try failed: {error}" if error else "")
    return State(state=ModelState.DOWNLOADING, reason="Pulling", message=message)


def _without_a_pod(job: Manifest, observed: Observed) -> State:
    """Return the state of a pull whose Job has no pod: for a moment, or because none is let in, which the Job hides."""
    metadata = job["metadata"]
    if job["spec"].get("suspend"):
        message = f"Job {metadata['name']} is suspended, as by a queue of the cluster's, until that lets it begin"
        return State(state=ModelState.PENDING, reason="PullSuspended", message=message)
    if (said := observed.said.get((JOB, metadata["name"]))) is not None:
        message = f"{DENIED}: {denials.words_of(said.message)}"
        return State(state=ModelState.FAILED, reason=denials.cause_of(said.message) or said.reason, message=message)
    look = f"`kubectl describe job {metadata['name']} --namespace {metadata['namespace']}`"
    message = (
        f"Job {metadata['name']} has no pod yet. If it stays so, a ResourceQuota or an admission webhook denies it one:"
        f" {look} says which"
    )
    return State(state=ModelState.PENDING, reason="PullHasNoPod", message=message)


def _waits_after_failure(pod: PodView) -> bool:
    """Return whether the pod's last try has failed and the next one has not begun."""
    return not pod.engine.running and pod.engine.ended_reason == "Error"


def _outlived_by(pod: PodView) -> str | None:
    """Return the container that runs on in a pod whose pull has ended well, so that its Job is never complete."""
    if pod.engine.running or pod.engine.exit_code != 0:
        return None
    return next((one.name for one in pod.injected if one.running and one not in pod.inits), None)


def _error(pod: PodView | None) -> str:
    return log_lines.last_error(pod.engine.ended_message) if pod is not None else ""


def _job(pool: ModelPool, model: str, uid: str, observed: Observed) -> Manifest | None:
    return observed.child(JOB, names.pull_name(pool.ref.name, model, uid))


def _model_of(live: Manifest, component: str) -> str | None:
    """Return the model that a Job of a component is about."""
    metadata = live["metadata"]
    if live["kind"] != JOB or (metadata.get("labels") or {}).get(names.NAME_LABEL) != component:
        return None
    model: str | None = (metadata.get("annotations") or {}).get(names.MODEL_ANNOTATION)
    return model


def _condition(job: Manifest | None, kind: str) -> Mapping[str, Any]:
    """Return the condition of a Job, where it holds."""
    conditions = ((job or {}).get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if (one.get("type"), one.get("status")) == (kind, "True")), {})


def _is_over(job: Manifest | None, kind: str) -> bool:
    return bool(_condition(job, kind))


def _shown(amount: int) -> str:
    """Return bytes as Ollama shows them: `4.9 GB`."""
    return f"{amount / GIGABYTE:.1f} GB"
