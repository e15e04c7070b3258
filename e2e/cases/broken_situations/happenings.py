"""What happens to a pool in trouble: what a kubelet writes of its pods, and what somebody does by hand.

Statuses of containers are a kubelet's (`kubelet.yaml`), the ends of logs are engines' (`engines.yaml`), and what
container runtimes and registries say stands in `runtimes.yaml`: each file says where its texts come from.
"""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml
from situation import Object, Situation

from modelpool_cluster import waiting
from modelpool_cluster.rest import MERGE
from modelpool_under_test.processes.pools import Pool

_HERE: Final = Path(__file__).parent
_KUBELET: Final[dict[str, Object]] = yaml.safe_load((_HERE / "kubelet.yaml").read_text())
_ENGINES: Final[dict[str, Object]] = yaml.safe_load((_HERE / "engines.yaml").read_text())
_RUNTIMES: Final[dict[str, Object]] = yaml.safe_load((_HERE / "runtimes.yaml").read_text())

Happening = Callable[[Situation, Pool], None]


def kubelet_says(reason: str, log: str | None = None) -> Happening:
    """Return what lets the engine's container be in a recorded status, with the end of an engine's log for its own."""

    def happens(situation: Situation, pool: Pool) -> None:
        status = copy.deepcopy(_KUBELET[reason])
        (container,) = status["containerStatuses"]
        if log is not None:
            container["lastState"]["terminated"] |= {
                "exitCode": _ENGINES[log]["exitCode"],
                "message": _ENGINES[log]["log"],
            }
        _write(pool, pool.pod("vllm", situation.model), status)

    return happens


def runtime_says(words: str) -> Happening:
    """Return what lets the engine's container wait, as its node's container runtime cannot have or make it."""

    def happens(situation: Situation, pool: Pool) -> None:
        status = copy.deepcopy(_KUBELET["ImagePullBackOff"])
        (container,) = status["containerStatuses"]
        container["state"]["waiting"] = {key: _RUNTIMES[words][key] for key in ("reason", "message")}
        _write(pool, pool.pod("vllm", situation.model), status)

    return happens


def event_says(words: str) -> Happening:
    """Return what lets the engine's pod wait on its node, while an Event tells for what."""

    def happens(situation: Situation, pool: Pool) -> None:
        name, said = pool.pod("vllm", situation.model), _RUNTIMES[words]
        pod = pool.cluster.api.get(f"/api/v1/namespaces/{pool.namespace}/pods/{name}")
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event: dict[str, Any] = {
            "metadata": {"generateName": f"{name}."},
            "involvedObject": {"kind": "Pod", "namespace": pool.namespace, "name": name, "uid": pod["metadata"]["uid"]},
            "type": "Warning",
            "reason": said["reason"],
            "message": said["message"],
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "source": {"component": said["component"]},
        }
        pool.cluster.api.create(f"/api/v1/namespaces/{pool.namespace}/events", event)

    return happens


def runs(situation: Situation, pool: Pool) -> None:
    """Let every engine answer."""
    for model in (situation.model, *situation.beside):
        pool.cluster.set_pod_ready(pool.namespace, pool.pod("vllm", model), True)


def runs_beside_the_elder(situation: Situation, pool: Pool) -> None:
    """Let the older pool's engine answer, then this one's: on one card they start one after the other."""
    elder = Pool(cluster=pool.cluster, namespace=pool.namespace, name="elder")
    runs(situation, elder)
    runs(situation, pool)


def server_runs(situation: Situation, pool: Pool) -> None:
    """Let Ollama answer."""
    pool.cluster.set_pod_ready(pool.namespace, pool.pod("ollama"), True)


def node_falls_silent(situation: Situation, pool: Pool) -> None:
    """Let the engine run, and its node be heard of no more: the node controller marks the pod, and no container.

    Here that controller is told to wait for a day, since played nodes never report; so what it writes is written.
    """
    name = pool.pod("vllm", situation.model)
    pool.cluster.set_pod_ready(pool.namespace, name, True)
    pool.wait_ready("1/1")
    path = f"/api/v1/namespaces/{pool.namespace}/pods/{name}/status"
    pool.cluster.api.patch(path, {"status": {"conditions": [{"type": "Ready", "status": "False"}]}})


def pull_fails(situation: Situation, pool: Pool) -> None:
    """Let Ollama run, and its client fail and wait for its next try."""
    server_runs(situation, pool)
    status = copy.deepcopy(_KUBELET["CrashLoopBackOff"])
    (container,) = status["containerStatuses"]
    container["lastState"]["terminated"] |= {"message": _ENGINES["pull"]["log"]}
    _write(pool, pool.pod("pull"), status)


def claim_is_deleted(situation: Situation, pool: Pool) -> None:
    """Let somebody delete the claim while two engines run on it, and one of them be started again."""
    runs(situation, pool)
    pool.wait_ready("2/2")
    pool.cluster.api.delete(_claim(pool))
    _restart(situation, pool)


def volume_is_deleted(situation: Situation, pool: Pool) -> None:
    """Let somebody delete the claim's PersistentVolume, against its protection, and the engine be started again."""
    runs(situation, pool)
    pool.wait_ready("1/1")
    volume = f"/api/v1/persistentvolumes/{pool.cluster.api.get(_claim(pool))['spec']['volumeName']}"
    pool.cluster.api.delete(volume)
    pool.cluster.api.patch(volume, {"metadata": {"finalizers": None}}, MERGE)

    def lost() -> bool:
        return bool(pool.cluster.api.get(_claim(pool))["status"]["phase"] == "Lost")

    waiting.wait_for("the controller's word on the claim", lost)
    _restart(situation, pool)


def _claim(pool: Pool) -> str:
    return f"/api/v1/namespaces/{pool.namespace}/persistentvolumeclaims/{pool.name}-cache"


def _restart(situation: Situation, pool: Pool) -> None:
    name = pool.pod("vllm", situation.model)
    pool.cluster.api.delete(f"/api/v1/namespaces/{pool.namespace}/pods/{name}", gracePeriodSeconds="0")


def _write(pool: Pool, name: str, status: Object) -> None:
    """Write a pod's status as a kubelet would, and keep others from it."""
    pool.cluster.hold_pod(pool.namespace, name)
    path = f"/api/v1/namespaces/{pool.namespace}/pods/{name}"
    (container,) = status["containerStatuses"]
    container["name"] = pool.cluster.api.get(path)["spec"]["containers"][0]["name"]
    conditions = [
        {"type": kind, "status": "False", "reason": "ContainersNotReady"} for kind in ("ContainersReady", "Ready")
    ]
    pool.cluster.api.patch(f"{path}/status", {"status": {**status, "conditions": conditions}})
