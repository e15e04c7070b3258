"""What a kubelet would write into a pod's status when things go well or badly, as strategic merge patches. Pure."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Mapping
from typing import Any

HELD_ANNOTATION = "kwok.modelpool.dev/held"
"""On a pod: kwok does nothing but delete it; `stages.yaml` says so too."""

HOLD: dict[str, Any] = {"metadata": {"annotations": {HELD_ANNOTATION: "true"}}}
RELEASE: dict[str, Any] = {"metadata": {"annotations": {HELD_ANNOTATION: None}}}


def readiness(
    pod: Mapping[str, Any], ready: bool, *, reason: str, message: str, now: datetime.datetime
) -> dict[str, Any]:
    """Return the status of a pod whose containers run and whose readiness probes say yes or no."""
    state = {"running": {"startedAt": _time(now)}}
    statuses = [
        {**_status(pod, container), "ready": ready, "started": True, "state": _kept(pod, container, "running") or state}
        for container in _containers(pod)
    ]
    return _patch("Running", statuses, ready, reason=reason, message=message, now=now)


def waiting(
    pod: Mapping[str, Any],
    container: str | None,
    *,
    reason: str,
    message: str,
    phase: str,
    restarts: int | None,
    last_exit: Mapping[str, Any] | None,
    now: datetime.datetime,
) -> dict[str, Any]:
    """Return the status of a pod one of whose containers (None: all) waits, such as for its image or after a crash."""
    time = _time(now)
    statuses = []
    for spec in _containers(pod):
        status = _status(pod, spec)
        if container in (None, spec["name"]):
            status |= {"ready": False, "started": False, "state": {"waiting": {"reason": reason, "message": message}}}
            if restarts is not None:
                status["restartCount"] = restarts
            if last_exit is not None:
                status["lastState"] = {"terminated": {"startedAt": time, "finishedAt": time, **last_exit}}
        statuses.append(status)
    names = ", ".join(container["name"] for container in _containers(pod) if container["name"])
    explanation = f"containers with unready status: [{container or names}]"
    return _patch(phase, statuses, False, reason="ContainersNotReady", message=explanation, now=now)


def failure(
    pod: Mapping[str, Any], *, reason: str, message: str, exit_code: int, now: datetime.datetime
) -> dict[str, Any]:
    """Return the status of a pod that ended with an error and is not started again, such as an evicted one."""
    time = _time(now)
    ended = {"exitCode": exit_code, "reason": reason, "message": message, "startedAt": time, "finishedAt": time}
    statuses = [
        {**_status(pod, container), "ready": False, "started": False, "state": {"terminated": ended}}
        for container in _containers(pod)
    ]
    patch = _patch("Failed", statuses, False, reason="PodFailed", message=message, now=now)
    patch["status"] |= {"reason": reason, "message": message}
    return patch


def addresses(cidr: str, number: int) -> dict[str, Any]:
    """Return the status fields of a pod's address, counted from the end of the range; kwok counts from its start."""
    address = str(ipaddress.ip_network(cidr, strict=False)[-1 - number])
    return {"podIP": address, "podIPs": [{"ip": address}]}


def _patch(
    phase: str, statuses: list[dict[str, Any]], ready: bool, *, reason: str, message: str, now: datetime.datetime
) -> dict[str, Any]:
    condition = {"status": "True" if ready else "False", "lastTransitionTime": _time(now)}
    why = {"reason": reason, "message": message} if not ready else {"reason": None, "message": None}
    conditions = [{"type": kind, **condition, **why} for kind in ("ContainersReady", "Ready")]
    return {"status": {"phase": phase, "conditions": conditions, "containerStatuses": statuses}}


def _containers(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(pod["spec"]["containers"])


def _status(pod: Mapping[str, Any], container: Mapping[str, Any]) -> dict[str, Any]:
    known = {status["name"]: status for status in pod.get("status", {}).get("containerStatuses") or ()}
    fresh = {"name": container["name"], "image": container.get("image", ""), "imageID": "", "restartCount": 0}
    fresh |= {"ready": False, "started": False, "state": {"waiting": {"reason": "ContainerCreating"}}}
    return {**fresh, **known.get(container["name"], {})}


def _kept(pod: Mapping[str, Any], container: Mapping[str, Any], state: str) -> dict[str, Any] | None:
    current = _status(pod, container)["state"]
    return {state: current[state]} if state in current else None


def _time(now: datetime.datetime) -> str:
    return now.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
