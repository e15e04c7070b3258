"""What an engine's pod is doing, by an ordered chain of pure checks: the first with something to say is the state."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from modelpool_operator.api.status import ModelState
from modelpool_operator.planning.observation import diagnosis
from modelpool_operator.planning.observation.log_lines import last_error, percentage
from modelpool_operator.planning.observation.pod_views import ContainerView, PodView

IMAGE_REASONS: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
)
CONTAINER_REASONS: Final = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CreatePodSandboxError"}
)
INTERRUPTIONS: Final = frozenset({"Unknown", "ContainerStatusUnknown"})
"""Reasons of an end that nobody saw: the node, or its container runtime, was restarted."""
_LAST_WORDS: Final = {"OOMKilled": "OOMKilled", **dict.fromkeys(INTERRUPTIONS, "its node was restarted")}
_WAITING: Final = re.compile(r"start_engine: (Waiting for .+)")
_STARTED: Final = re.compile(r"start_engine: (Starting|Ready)")
_SHARDS: Final = re.compile(r"(Loading .{0,100}?shards|Capturing CUDA graphs?).*?(\d{1,3})%")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where an engine is on its way."""

    state: ModelState
    reason: str
    """PascalCase."""
    message: str = ""
    behind: bool = False
    """Whether the engine answers, and not as this generation of the pool wants it."""


def state_of(pod: PodView) -> State:
    """Return what the pod is doing."""
    container = pod.engine
    found = (check(pod, container) for check in CHECKS)
    return next((state for state in found if state is not None), _loading(pod, container))


def _ready(pod: PodView, container: ContainerView) -> State | None:
    return State(state=ModelState.READY, reason="Ready") if pod.ready else None


def _on_a_lost_node(pod: PodView, container: ContainerView) -> State | None:
    if not pod.lost:
        return None
    message = f"Node {pod.node} does not report any more, so nobody knows whether the engine runs"
    return State(state=ModelState.FAILED, reason="NodeLost", message=message)


def _unschedulable(pod: PodView, container: ContainerView) -> State | None:
    if pod.unschedulable is None:
        return None
    reason = diagnosis.cause_of_no_node(pod.unschedulable)
    message = diagnosis.scheduler_words(pod.unschedulable)
    return State(state=ModelState.UNSCHEDULABLE, reason=reason, message=message)


def _without_image(pod: PodView, container: ContainerView) -> State | None:
    """The image cannot be had. The kubelet tries, and waits, and tries: for the status that is one and the same."""
    if container.waiting_reason not in IMAGE_REASONS:
        return None
    reason = "ImagePullBackOff" if container.waiting_reason == "ErrImagePull" else container.waiting_reason
    return State(state=ModelState.FAILED, reason=reason, message=diagnosis.image_trouble(container.waiting_message))


def _without_container(pod: PodView, container: ContainerView) -> State | None:
    if container.waiting_reason not in CONTAINER_REASONS:
        return None
    reason = diagnosis.cause_of(container.waiting_message) or container.waiting_reason
    return State(state=ModelState.FAILED, reason=reason, message=container.waiting_message)


def _killed_for_memory(pod: PodView, container: ContainerView) -> State | None:
    if container.running or container.ended_reason != "OOMKilled":
        return None
    message = f"The container used more memory than its limit; {_restarts(container)}"
    return State(state=ModelState.FAILED, reason="OOMKilled", message=message)


def _interrupted(pod: PodView, container: ContainerView) -> State | None:
    if container.running or container.ended_reason not in INTERRUPTIONS:
        return None
    message = f"Node {pod.node} was restarted; the engine starts again"
    return State(state=ModelState.LOADING, reason="NodeRestarted", message=message)


def _crashed(pod: PodView, container: ContainerView) -> State | None:
    if container.running or not container.ended_reason or pod.phase == "Succeeded":
        return None
    cause = diagnosis.cause_of(container.ended_message)
    error = last_error(container.ended_message, cause) or f"exit code {container.exit_code}"
    reason = cause or container.waiting_reason or container.ended_reason
    return State(state=ModelState.FAILED, reason=reason, message=f"{error} ({_restarts(container)})")


def _evicted(pod: PodView, container: ContainerView) -> State | None:
    if pod.phase != "Failed":
        return None
    message = pod.message or f"Pod {pod.name} failed and is being replaced"
    return State(state=ModelState.FAILED, reason=pod.reason or "PodFailed", message=message)


def _held_up(pod: PodView, container: ContainerView) -> State | None:
    """A container that somebody injected fails, and the pod is not ready without it, or does not even begin."""
    for one in pod.injected:
        if not one.running and (trouble := _trouble_of(one)):
            kind = "Init container" if one in pod.inits else "Container"
            reason = "InitContainerFailed" if one in pod.inits else "SidecarFailed"
            message = f"{kind} {one.name}, which is not the operator's, holds the pod up: {trouble}"
            return State(state=ModelState.FAILED, reason=reason, message=message)
    return None


def _trouble_of(container: ContainerView) -> str | None:
    """Return what keeps a container from running, or None where it waits for its turn or has ended well."""
    if container.waiting_reason in IMAGE_REASONS:
        return f"{container.waiting_reason}: {diagnosis.image_trouble(container.waiting_message)}"
    if container.waiting_reason in CONTAINER_REASONS:
        return f"{container.waiting_reason}: {container.waiting_message}"
    if not container.ended_reason or container.exit_code == 0 or container.ended_reason in INTERRUPTIONS:
        return None
    error = last_error(container.ended_message) or f"exit code {container.exit_code}"
    return f"{container.waiting_reason or container.ended_reason}: {error} ({_restarts(container)})"


def _pending(pod: PodView, container: ContainerView) -> State | None:
    if container.running:
        return None
    if pod.node is None:
        return State(state=ModelState.PENDING, reason="Scheduling", message="No node was chosen yet")
    if at_work := [one.name for one in pod.inits if one.running and not one.started]:
        message = f"Init container {at_work[0]}, which is not the operator's, runs on node {pod.node}"
        return State(state=ModelState.PULLING_IMAGE, reason="PodInitializing", message=message)
    message = f"Pulling the image or mounting volumes on node {pod.node}"
    return State(
        state=ModelState.PULLING_IMAGE, reason=container.waiting_reason or "ContainerCreating", message=message
    )


def _gated(pod: PodView, container: ContainerView) -> State | None:
    """Load balancers inject readiness gates, and open them once they send traffic to the pod."""
    if pod.gate is None or not container.ready:
        return None
    return State(state=ModelState.LOADING, reason="ReadinessGate", message=f"The engine is ready: {pod.gate}")


def _beside(pod: PodView, container: ContainerView) -> State | None:
    """The engine answers its probe, and another container of the pod does not."""
    late = [one.name for one in pod.injected if one.running and not one.ready]
    if not container.ready or not late:
        return None
    message = f"The engine is ready, and container {late[0]}, which is not the operator's, is not"
    return State(state=ModelState.LOADING, reason="SidecarNotReady", message=message)


def _silent(pod: PodView, container: ContainerView) -> State | None:
    if not container.started:
        return None
    message = "The engine has started and does not answer its health check"
    return State(state=ModelState.LOADING, reason="NotAnswering", message=message)


def _waiting_for_card(pod: PodView, container: ContainerView) -> State | None:
    for line in reversed(pod.log):
        if _STARTED.search(line):
            return None
        if match := _WAITING.search(line):
            return State(state=ModelState.WAITING, reason="WaitingForCard", message=match[1].strip())
    return None


def _downloading(pod: PodView, container: ContainerView) -> State | None:
    done = percentage(pod)
    if done is None or done == "100 %" or any(_SHARDS.search(line) for line in pod.log):
        return None
    return State(state=ModelState.DOWNLOADING, reason="Downloading", message=f"Downloading, {done}")


def _loading(pod: PodView, container: ContainerView) -> State:
    matches = [match for line in pod.log for match in [_SHARDS.search(line)] if match]
    message = f"{matches[-1][1]}, {matches[-1][2]} %" if matches else "The engine starts"
    if container.restarts:
        why = _LAST_WORDS.get(container.ended_reason) or last_error(container.ended_message)
        message = f"{message}; {_restarts(container)}" + (f", the last after: {why}" if why else "")
    return State(state=ModelState.LOADING, reason="Loading", message=message)


def _restarts(container: ContainerView) -> str:
    return f"{container.restarts} restart{'' if container.restarts == 1 else 's'}"


CHECKS: Final[tuple[Callable[[PodView, ContainerView], State | None], ...]] = (
    _ready,
    _on_a_lost_node,
    _unschedulable,
    _without_image,
    _without_container,
    _killed_for_memory,
    _interrupted,
    _crashed,
    _evicted,
    _held_up,
    _pending,
    _gated,
    _beside,
    _silent,
    _waiting_for_card,
    _downloading,
)
