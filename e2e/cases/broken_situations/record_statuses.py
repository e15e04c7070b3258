"""Record what a real kubelet says of containers in trouble, for the cases of this folder.

    python e2e/cases/broken_situations/record_statuses.py >e2e/cases/broken_situations/kubelet.yaml

Starts the node of `modelpool_cluster` (Linux, root), runs pods that cannot come up, and prints each one's
`status.containerStatuses`, made anonymous: names of pods and ids of containers say nothing here.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from modelpool_cluster import waiting
from modelpool_cluster.binaries import Binaries
from modelpool_cluster.node.cluster import NodeCluster
from modelpool_cluster.settings import current
from modelpool_under_test import images

Object = dict[str, Any]

_RAISE: Final = "raise ValueError('Free memory on device cuda:0 (3.1/23.65 GiB) on startup is less than desired')"
_SHUT: Final = "import sys; print('RuntimeError: the engine fell over', file=sys.stderr); sys.exit(1)"
_GREEDY: Final = "x = [bytearray(1 << 20) for _ in range(512)]"


def containers(image: str) -> dict[str, Object]:
    """Return a container for each trouble; beside the name of its reason, once it has come to it."""
    python = {"image": image, "imagePullPolicy": "Never"}
    return {
        "ImagePullBackOff": {"image": "localhost:1/modelpool/absent:1"},
        "OOMKilled": {**python, "command": ["python3", "-c", _GREEDY], "resources": {"limits": {"memory": "48Mi"}}},
        "CrashLoopBackOff": {**python, "command": ["python3", "-c", _SHUT]},
    }


def record(cluster: NodeCluster, image: str) -> Iterator[tuple[str, Object]]:
    """Yield reasons with the statuses of containers that have come to them."""
    cluster.add_namespace("troubles")
    path = "/api/v1/namespaces/troubles/pods"
    wanted = containers(image)
    for reason, container in wanted.items():
        body = {**container, "name": "vllm", "terminationMessagePolicy": "FallbackToLogsOnError"}
        cluster.api.create(path, {"metadata": {"name": reason.lower()}, "spec": {"containers": [body]}})
    for reason in wanted:
        want = "CrashLoopBackOff" if reason == "OOMKilled" else reason

        def come(reason: str = reason, want: str = want) -> Object:
            status = cluster.api.get(f"{path}/{reason.lower()}")["status"]
            (one,) = status.get("containerStatuses") or ({},)
            assert one.get("state", {}).get("waiting", {}).get("reason") == want, status
            return {"phase": status["phase"], "containerStatuses": [one]}

        yield reason, waiting.wait_for(reason, come, timeout=120)


def anonymous(status: Object, image: str) -> Object:
    """Return a status without what was only there that day."""
    text = yaml.safe_dump(status, sort_keys=False, width=110)
    text = re.sub(r"containerd://[0-9a-f]+", "containerd://0", text)
    text = re.sub(r"sha256:[0-9a-f]{64}", "sha256:0", text)
    text = re.sub(r"pod=\S+_troubles\([0-9a-f-]+\)", "pod=POD", text)
    text = re.sub(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-11-22T12:00:00Z", text)
    text = text.replace(image, "IMAGE")
    found: Object = yaml.safe_load(text)
    for one in found["containerStatuses"]:
        for gone in ("volumeMounts", "resources", "allocatedResources", "user"):
            one.pop(gone, None)
    return found


def main() -> None:
    """Record and print."""

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    settings = current()
    binaries = Binaries(settings, say)
    archive = Path(sys.argv[1]) if len(sys.argv) > 1 else images.build(settings, say).archive("engines")
    with NodeCluster(settings, binaries, say) as cluster:
        cluster.import_images(archive)
        image = images.Images.name("engines")
        version = cluster.api.get("/version")["gitVersion"]
        found = {reason: anonymous(status, image) for reason, status in record(cluster, image)}
    print(f"# Recorded by record_statuses.py: containerd and a kubelet {version} on the node of modelpool_cluster.")
    print(yaml.safe_dump(found, sort_keys=False, width=110), end="")


if __name__ == "__main__":
    main()
