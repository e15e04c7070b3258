"""What a failed case leaves behind: a folder with all that somebody would ask for. Never fails itself."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from modelpool_cluster.node.cluster import NodeCluster

from .release import GATEWAY, NAMESPACE

MISSING: Final = "This could not be had: "
"""Begins what stands in the place of something that could not be had."""


def write(cluster: NodeCluster, folder: Path) -> list[str]:
    """Write everything into a folder, in place of what an earlier run left there; returns the names of the files."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    kubectl = cluster.kubectl
    _note(folder / "pods.txt", lambda: kubectl("get", "pods,jobs,pvc,pv,deployments", "--all-namespaces", "-o", "wide"))
    _note(folder / "events.txt", lambda: kubectl("get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"))
    _note(folder / "describe.txt", lambda: kubectl("describe", "nodes,pods", "--all-namespaces"))
    _note(folder / "pools.yaml", lambda: kubectl("get", "modelpools", "--all-namespaces", "-o", "yaml"))
    _note(
        folder / "routes.yaml",
        lambda: kubectl("get", "configmaps", "--all-namespaces", "-l", "modelpool.dev/routes=true", "-o", "yaml"),
    )
    proxied = f"/api/v1/namespaces/{NAMESPACE}/services/{GATEWAY}:openai/proxy"
    for page in ("metrics", "modelpool/routes"):
        name = f"gateway-{page.replace('/', '-')}.txt"
        _note(folder / name, lambda page=page: kubectl("get", "--raw", f"{proxied}/{page}"))  # type: ignore[misc]
    _note(folder / "node.txt", lambda: "\n".join(cluster.log_tails(200)))
    _note(folder / "containers.txt", lambda: _container_logs(cluster, folder / "logs"))
    _note(folder / "gateway-access.jsonl", lambda: _access_log(folder / "logs"))
    return sorted(path.name for path in folder.iterdir())


def _container_logs(cluster: NodeCluster, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    states = []
    for pod in cluster.api.items("/api/v1/pods"):
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        for status in pod["status"].get("containerStatuses", ()):
            states.append(f"{namespace}/{name}/{status['name']}: {json.dumps(status['state'])}")
            for previous in (False, True)[: 1 + bool(status["restartCount"])]:
                flags = [
                    f"--namespace={namespace}",
                    f"--container={status['name']}",
                    f"--previous={str(previous).lower()}",
                ]
                target = folder / f"{namespace}.{name}.{status['name']}{'.previous' if previous else ''}.log"
                _note(target, lambda flags=flags, name=name: cluster.kubectl("logs", *flags, name))  # type: ignore[misc]
    return "\n".join(states)


def _access_log(logs: Path) -> str:
    """Return the gateways' records of requests, of all their lives, oldest first."""
    lines = [line for log in logs.glob(f"{NAMESPACE}.{GATEWAY}-*.log") for line in log.read_text().splitlines()]
    return "".join(f"{line}\n" for line in sorted(line for line in lines if '"request_id"' in line))


def _note(target: Path, look: Callable[[], str]) -> None:
    try:
        target.write_text(look())
    except Exception as exc:  # what could not be had is said in its place
        target.write_text(f"{MISSING}{type(exc).__name__}: {exc}\n")
