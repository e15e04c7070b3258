"""The pulls into the volume of a pool's Ollama: how far they are, and which of their Jobs stay, or are made again.

A Job that is complete is the record that the volume holds its model; a pool's pulls are never forgotten while their
Jobs are there. Pure.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import ModelState
from modelpool_operator.planning.changes.ollama_volume import (
    JOB,
    Volume,
    condition_of,
    going_uid,
    is_over,
    job_of,
    volume_uid,
)
from modelpool_operator.planning.engines.ollama import models as ollama
from modelpool_operator.planning.manifests.pull_records import recorded
from modelpool_operator.planning.objects.identity import ChildRef, Manifest
from modelpool_operator.planning.observation import denials, log_lines, pod_states
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_states import State
from modelpool_operator.planning.observation.pod_views import PodView

_BLOCKED: Final = pod_states.IMAGE_REASONS | {"InitContainerFailed"}
"""Reasons for which a pull does not begin."""
DENIED: Final = "The pull's pod was not let in"
"""How the message of a pull begins whose pod was refused."""


def kept_records(pool: ModelPool, volume: Volume, observed: Observed) -> Collection[ChildRef]:
    """Return pull Jobs that no pull needs: they stay until their model is removed, or the volume that goes is gone."""
    uid = volume.uid
    leaving = {names.pull_name(pool.ref.name, model, uid) for model in volume.retired if uid is not None}
    if (going := going_uid(pool, observed)) is not None:
        done = {names.pull_name(pool.ref.name, model, going) for model in ollama.models_to_pull(pool.spec)}
        leaving |= {name for name in done if is_over(observed.child(JOB, name), "Complete")}
    return {ref for ref in observed.children if ref.kind == JOB and ref.name in leaving}


def void_records(pool: ModelPool, volume: Volume, observed: Observed) -> Collection[ChildRef]:
    """Return pull Jobs that have to be made again: those that gave up, and those whose model was removed since."""
    uid = volume.uid
    void: set[ChildRef] = set()
    if uid is None:
        return void
    for model in ollama.models_to_pull(pool.spec):
        removed = observed.child(JOB, names.remove_name(pool.ref.name, model, uid)) is not None
        name = names.pull_name(pool.ref.name, model, uid)
        if removed or is_over(observed.child(JOB, name), "Failed"):
            void.update(ref for ref in observed.children if (ref.kind, ref.name) == (JOB, name))
    return void


def outdated(wanted: Mapping[ChildRef, Manifest], observed: Observed) -> Collection[ChildRef]:
    """Return Jobs that have not ended and would run another pod now: a Job cannot change, so they are made again."""
    return {
        ref
        for ref, live in observed.children.items()
        if ref.kind == JOB and ref in wanted and not is_over(live, "Complete") and _pod(live) != _pod(wanted[ref])
    }


def _pod(job: Manifest) -> Any:
    """Return the hash of the pod that a Job runs."""
    annotations = (job["spec"]["template"].get("metadata") or {}).get("annotations") or {}
    return annotations.get(names.TEMPLATE_ANNOTATION)


def state_of(pool: ModelPool, model: str, observed: Observed, volume: Volume) -> State:
    """Return how far the pull of a model into the present volume has come.

    Args:
        pool: whose volume it is.
        model: Ollama's name of it.
        observed: what is there by now.
        volume: what the plan found of it.
    """
    uid = volume_uid(pool, observed) or going_uid(pool, observed)
    job = job_of(pool, model, uid, observed) if uid is not None else None
    if job is None:
        if model in (volume.recorded if uid == volume.uid else recorded(pool, uid, observed)):
            return State(state=ModelState.READY, reason="Ready")
        if (why := volume.too_large.get(model)) is not None:
            return State(state=ModelState.FAILED, reason="VolumeTooSmall", message=why)
        return State(state=ModelState.PENDING, reason="PullNotStarted", message=f"The pull of {model} has not started")
    if is_over(job, "Complete"):
        return State(state=ModelState.READY, reason="Ready")
    pods = [pod for pod in observed.pods if pod.component == names.PULL_COMPONENT and pod.model == model]
    newest = max(pods, key=lambda pod: pod.created, default=None)
    if newest is None and not is_over(job, "Failed") and not (job.get("status") or {}).get("active"):
        return _without_a_pod(job, observed)
    error = _error(newest)
    if is_over(job, "Failed") or (newest is not None and _waits_after_failure(newest)):
        why = error or condition_of(job, "Failed").get("message") or "no reason was given"
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
