"""What is reported of pods to which somebody has added containers, as a service mesh does: in any order, or failing."""

from typing import Any

import pytest

from modelpool_operator.api import names
from modelpool_operator.api.status import ModelState
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.tests.planning.pools import ollama, pool_of, settled
from modelpool_operator.tests.planning.test_status import (
    QWEN,
    RUNNING,
    TRACE,
    assert_says,
    crashed,
    pod,
    pulled,
    report,
    waiting,
)

PROXY: dict[str, Any] = {"name": "istio-proxy", "ready": True, "state": {"running": {}}}

PODS: dict[str, tuple[PodView, ModelState, str, str]] = {
    "it waits for its image, and a sidecar runs": (
        pod("qwen3:8b", beside=(PROXY,), **waiting("ImagePullBackOff", "Back-off pulling image")),
        ModelState.FAILED,
        "ImagePullBackOff",
        "Back-off pulling image",
    ),
    "it crashes, and a sidecar is ready": (
        pod("qwen3:8b", beside=(PROXY,), **waiting("CrashLoopBackOff", **crashed("Error", TRACE))),
        ModelState.FAILED,
        "CardFull",
        (
            "ValueError: Free memory on device cuda:0 (3.1/23.65 GiB) on startup is less than"
            " desired GPU memory (4 restarts)"
        ),
    ),
    "it waits for its card beside a sidecar": (
        pod("qwen3:8b", beside=(PROXY,), log=("start_engine: Waiting for card 0 (behind gemma3:4b)",), **RUNNING),
        ModelState.WAITING,
        "WaitingForCard",
        "Waiting for card 0 (behind gemma3:4b)",
    ),
    "a sidecar crashes": (
        pod(
            "qwen3:8b",
            beside=(
                {"name": "istio-proxy", **waiting("CrashLoopBackOff", **crashed("Error", "Error: no certificate"))},
            ),
            started=True,
            **RUNNING,
        ),
        ModelState.FAILED,
        "SidecarFailed",
        (
            "Container istio-proxy, which is not the operator's, holds the pod up:"
            " CrashLoopBackOff: Error: no certificate (4 restarts)"
        ),
    ),
    "a sidecar's image is not there": (
        pod("qwen3:8b", beside=({"name": "agent", **waiting("ErrImagePull", "no such image")},), **RUNNING),
        ModelState.FAILED,
        "SidecarFailed",
        "Container agent, which is not the operator's, holds the pod up: ErrImagePull: no such image",
    ),
    "a sidecar is not ready": (
        pod(
            "qwen3:8b",
            beside=({**PROXY, "ready": False},),
            probed=True,
            started=True,
            **RUNNING,
        ),
        ModelState.LOADING,
        "SidecarNotReady",
        "The engine is ready, and container istio-proxy, which is not the operator's, is not",
    ),
    "an init container crashes": (
        pod(
            "qwen3:8b",
            inits=({"name": "istio-init", **waiting("CrashLoopBackOff", **crashed("Error", "iptables: no"))},),
            **waiting("PodInitializing"),
        ),
        ModelState.FAILED,
        "InitContainerFailed",
        (
            "Init container istio-init, which is not the operator's, holds the pod up:"
            " CrashLoopBackOff: iptables: no (4 restarts)"
        ),
    ),
    "an init container ended with an error and is not waited for yet": (
        pod(
            "qwen3:8b",
            inits=({"name": "setup", "state": {"terminated": {"reason": "Error", "exitCode": 2}}},),
            **waiting("PodInitializing"),
        ),
        ModelState.FAILED,
        "InitContainerFailed",
        "Init container setup, which is not the operator's, holds the pod up: Error: exit code 2 (0 restarts)",
    ),
    "an init container's image is not there": (
        pod(
            "qwen3:8b",
            inits=({"name": "setup", **waiting("ImagePullBackOff", "no such image")},),
            **waiting("PodInitializing"),
        ),
        ModelState.FAILED,
        "InitContainerFailed",
        "Init container setup, which is not the operator's, holds the pod up: ImagePullBackOff: no such image",
    ),
    "an init container is at work": (
        pod("qwen3:8b", inits=({"name": "setup", **RUNNING},), **waiting("PodInitializing")),
        ModelState.PULLING_IMAGE,
        "PodInitializing",
        "Init container setup, which is not the operator's, runs on node gpu-1",
    ),
    "its init containers are done": (
        pod(
            "qwen3:8b",
            inits=(
                {"name": "setup", "state": {"terminated": {"reason": "Completed", "exitCode": 0}}},
                {**PROXY, "started": True},
            ),
            **RUNNING,
        ),
        ModelState.LOADING,
        "Loading",
        "The engine starts",
    ),
    "a gate is not open": (
        pod("qwen3:8b", why_not="ReadinessGatesNotReady", probed=True, started=True, **RUNNING),
        ModelState.LOADING,
        "ReadinessGate",
        "The engine is ready: ReadinessGatesNotReady: a.dev/gate",
    ),
    "its node is not heard of": (
        pod("qwen3:8b", probed=True, started=True, **RUNNING),
        ModelState.FAILED,
        "NodeLost",
        "Node gpu-1 does not report any more, so nobody knows whether the engine runs",
    ),
}


@pytest.mark.parametrize(("seen", "state", "reason", "message"), PODS.values(), ids=PODS.keys())
def test_the_state_is_the_engines_and_others_are_named(
    seen: PodView, state: ModelState, reason: str, message: str
) -> None:
    (model,) = report(seen, pool=pool_of({**QWEN, "fallback": {"enabled": False}})).models
    assert (model.state, model.reason) == (state, reason)
    assert_says(model.message, message, advised=state is ModelState.FAILED)


def test_the_log_of_an_engine_that_does_not_run_is_not_asked_for() -> None:
    assert not pod("qwen3:8b", beside=(PROXY,), **waiting("ImagePullBackOff")).wants_log
    assert pod("qwen3:8b", beside=(PROXY,), **RUNNING).wants_log


ENDED: dict[str, Any] = {"state": {"terminated": {"reason": "Completed", "exitCode": 0}}}
PULLS: dict[str, tuple[PodView, ModelState, str, str]] = {
    "it has ended, and a sidecar runs on": (
        pod("cogito:8b", names.PULL_COMPONENT, beside=(PROXY,), **ENDED),
        ModelState.FAILED,
        "PullHeldOpen",
        (
            "The pull of cogito:8b has ended, and container istio-proxy, which is not the operator's, keeps its pod."
            " Inject it as a native sidecar"
        ),
    ),
    "it runs beside a sidecar that failed": (
        pod(
            "cogito:8b",
            names.PULL_COMPONENT,
            beside=({"name": "agent", **waiting("CrashLoopBackOff", **crashed("Error", "no"))},),
            **RUNNING,
        ),
        ModelState.DOWNLOADING,
        "Pulling",
        "Pulling cogito:8b",
    ),
    "its last try failed beside a sidecar": (
        pod("cogito:8b", names.PULL_COMPONENT, beside=(PROXY,), **RUNNING, **crashed("Error", "Error: EOF")),
        ModelState.DOWNLOADING,
        "Pulling",
        "Pulling cogito:8b; the last try failed: Error: EOF",
    ),
    "an init container fails": (
        pod(
            "cogito:8b",
            names.PULL_COMPONENT,
            inits=({"name": "setup", **waiting("ErrImagePull", "no such image")},),
            **waiting("PodInitializing"),
        ),
        ModelState.FAILED,
        "InitContainerFailed",
        "Init container setup, which is not the operator's, holds the pod up: ErrImagePull: no such image",
    ),
}


@pytest.mark.parametrize(("seen", "state", "reason", "message"), PULLS.values(), ids=PULLS.keys())
def test_a_pull_is_its_own_container(seen: PodView, state: ModelState, reason: str, message: str) -> None:
    pool = pool_of(ollama("cogito:8b"))
    (model,) = report(seen, pool=pool, observed=pulled(settled(pool), Suspended="")).models
    assert (model.state, model.reason) == (state, reason)
    assert model.message.startswith(message)
