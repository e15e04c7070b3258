"""Whoever waits for Ready after `kubectl apply` has what was applied: every status that is written is recorded and held
against the pods that were ready by then."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.managers import KubectlError
from modelpool_cluster.plugin import GpuNodes
from modelpool_under_test.processes.installation import Installation
from modelpool_under_test.processes.operator_program import Operator
from modelpool_under_test.processes.pools import Object, Pool

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

FIRST, ABSENT, SECOND = "example.com/engine:1", "example.com/engine:absent", "example.com/engine:2"
MET_NEVER: Final = "2s"
"""For which `kubectl wait` waits in vain."""


def pool_with(image: str, node: str, **first: Any) -> Object:
    """Return a pool of two models, each on a card of its own, so that changes go card by card."""
    source = "hf://example/model"
    models = [
        {"name": name, "engine": "vllm", "source": source, "gpuMemoryFraction": 0.4, "gpu": gpu}
        for name, gpu in (("a", 0), ("b", 1))
    ]
    return {
        "apiVersion": "modelpool.dev/v1alpha1",
        "kind": "ModelPool",
        "metadata": {"name": "waited"},
        "spec": {
            "gpus": {"count": 2, "memory": "24Gi", "sharing": "visibleDevices"},
            "nodeSelector": {"kubernetes.io/hostname": node},
            "ollama": {"enabled": False},
            "vllm": {"image": image},
            "models": [{**models[0], **first}, models[1]],
        },
    }


@dataclass(slots=True)
class Recorder:
    """What a watcher of one pool was shown."""

    file: Path
    process: subprocess.Popen[bytes]
    ready_since: dict[int, int] = field(default_factory=dict)
    """By generation, the resourceVersion at which the last of its pods became ready."""

    def seen(self) -> list[Object]:
        """Return the pool as it was at each event so far."""
        text, found, decoder = self.file.read_text().strip(), list[Object](), json.JSONDecoder()
        while text:
            try:
                event, end = decoder.raw_decode(text)
            except json.JSONDecodeError:
                break  # The last one is still being written.
            found.append(event["object"])
            text = text[end:].lstrip()
        return found

    def assert_true(self) -> None:
        """Fail where Ready was True of a generation none of whose pods were ready, or not yet."""
        statuses = [(int(one["metadata"]["resourceVersion"]), ready_of(one)) for one in self.seen()]
        assert len(statuses) > 3, statuses
        said = [(version, one["observedGeneration"]) for version, one in statuses if one.get("status") == "True"]
        untrue = [one for one in said if one[0] < self.ready_since.get(one[1], 1 << 62)]
        assert not untrue, (untrue, self.ready_since)
        assert {generation for _, generation in said} == self.ready_since.keys(), said


def ready_of(pool: Object) -> Object:
    conditions = (pool.get("status") or {}).get("conditions", ())
    return next((one for one in conditions if one["type"] == "Ready"), {})


@contextmanager
def recorded(cluster: Cluster, pool: Pool, folder: Path) -> Iterator[Recorder]:
    """Record all events of a pool with kubectl."""
    file = folder / "events.json"
    command = [
        *(cluster.binaries.path("kubectl"), f"--kubeconfig={cluster.kubeconfig}", "get", "modelpools", pool.name),
        *(f"--namespace={pool.namespace}", "--watch", "--output-watch-events", "--output=json"),
    ]
    with file.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL)
    try:
        recorder = Recorder(file, process)
        waiting.wait_for("the first event", recorder.seen)
        yield recorder
    finally:
        process.terminate()
        process.wait()


class Waited:
    """The pool in the hands of whoever deploys it."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.pool = Pool(cluster=cluster, namespace=namespace, name="waited")

    def apply(self, body: Object) -> int:
        """`kubectl apply`; returns the generation."""
        self.cluster.kubectl("apply", f"--namespace={self.pool.namespace}", "-f", "-", stdin=json.dumps(body))
        return int(self.pool.get()["metadata"]["generation"])

    def wait(self, timeout: str) -> bool:
        """Return whether `kubectl wait` is met within that time."""
        flags = ("--for=condition=Ready", f"--timeout={timeout}", f"--namespace={self.pool.namespace}")
        try:
            self.cluster.kubectl("wait", *flags, "modelpool/waited")
        except KubectlError as exc:
            assert "timed out" in str(exc)
            return False
        return True

    def pod(self, model: str, image: str) -> str:
        """Wait for the pod of a model with an image, and return its name."""

        def look() -> str:
            pods = self.pool.pods("vllm", model)
            assert [one["spec"]["containers"][0]["image"] for one in pods] == [image], self.pool.conditions()
            assert pods[0]["spec"].get("nodeName"), pods[0]["status"]
            return str(pods[0]["metadata"]["name"])

        return waiting.wait_for(f"the pod of {model} with {image}", look)

    def serve(self, model: str, image: str) -> int:
        """Let the pod of a model be ready; returns the resourceVersion at which it is."""
        name = self.pod(model, image)
        self.cluster.set_pod_ready(self.pool.namespace, name, True)
        path = f"/api/v1/namespaces/{self.pool.namespace}/pods/{name}"
        return int(self.cluster.api.get(path)["metadata"]["resourceVersion"])

    def until_ready_says(self, reason: str) -> str:
        """Wait for the condition Ready to be False with a reason, and return its message."""

        def look() -> str:
            ready = self.pool.conditions()["Ready"]
            assert (ready["status"], ready["reason"]) == ("False", reason), ready
            return str(ready["message"])

        return waiting.wait_for(f"Ready=False {reason}", look)


def test_ready_is_met_by_the_pods_of_the_generation_that_was_applied(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator, tmp_path: Path
) -> None:
    node = gpu_node(gpus=2, held=True)
    waited = Waited(cluster, namespace)
    assert waited.apply(pool_with(FIRST, node)) == 1
    with recorded(cluster, waited.pool, tmp_path) as recorder:
        assert not waited.wait(MET_NEVER), "no pod runs"
        recorder.ready_since[1] = max(waited.serve("a", FIRST), waited.serve("b", FIRST))
        assert waited.wait("30s")

        # An image that does not exist: one card is down, the other one answers with what it has.
        assert waited.apply(pool_with(ABSENT, node)) == 2
        assert not waited.wait(MET_NEVER), "the old pods were taken for the new ones"
        recorder.assert_true()
        cluster.set_container_waiting(namespace, waited.pod("a", ABSENT), "ImagePullBackOff")
        assert "a: ImagePullBackOff" in waited.until_ready_says("ImagePullBackOff")
        assert waited.pool.model("b")["state"] == "Ready"

        # Set right, card by card.
        assert waited.apply(pool_with(SECOND, node)) == 3
        waited.serve("a", SECOND)
        assert "b: Outdated" in waited.until_ready_says("Updating")
        assert not waited.wait(MET_NEVER), "the second card has the old image"
        recorder.ready_since[3] = waited.serve("b", SECOND)
        assert waited.wait("30s")

        # What cannot be is not ready, although all answer; taken back, it is ready at once.
        assert waited.apply(pool_with(SECOND, node, gpuMemoryFraction=1.0)) == 4
        assert "What answers is what ran before" in waited.until_ready_says("CardOverfull")
        assert not waited.wait(MET_NEVER)
        assert waited.apply(pool_with(SECOND, node)) == 5
        recorder.ready_since[5] = recorder.ready_since[3]
        assert waited.wait("30s")

        # A status that somebody removes comes back, although nothing else happens.
        wiped = json.dumps([{"op": "remove", "path": "/status"}])
        flags = (f"--namespace={namespace}", "--subresource=status", "--type=json")
        cluster.kubectl("patch", "modelpool", "waited", *flags, "--patch", wiped)
        assert waited.wait("30s")
        recorder.assert_true()


def test_a_generation_that_no_operator_has_seen_is_not_ready(
    cluster: Cluster, gpu_node: GpuNodes, installation: Installation, namespace: str
) -> None:
    node = gpu_node(gpus=2)
    waited = Waited(cluster, namespace)
    waited.apply(pool_with(FIRST, node))
    assert waited.pool.status() == {
        "observedGeneration": -1,
        "conditions": [],
        "readyModels": "0/0",
        "gpuCount": 0,
    }, "nothing that kstatus could take for a pool in good order"
    with installation.operator():
        assert waited.wait("60s")
    assert waited.apply(pool_with(SECOND, node)) == 2
    assert not waited.wait(MET_NEVER), "kubectl passes over a condition of an older generation"
    assert ready_of(waited.pool.get())["observedGeneration"] == 1
