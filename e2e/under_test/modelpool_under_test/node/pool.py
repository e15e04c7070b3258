"""A pool of simulated engines on the node's one card: applied, watched, its pods' starts read from their logs."""

import contextlib
import fcntl
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import yaml

from modelpool_cluster import waiting
from modelpool_cluster.node.cluster import NodeCluster
from modelpool_cluster.rest import MERGE
from modelpool_simulators import cards

from .. import images
from .release import ROOT, Object

EXAMPLE: Final = ROOT / "examples" / "simulated.yaml"
POOL: Final = "simulated"
VLLM_MODELS: Final = ("gemma3:4b", "qwen3:8b")
MODEL: Final = "qwen3:8b"
"""The one that things happen to."""
OLLAMA_MODEL: Final = "cogito:8b"
START_SECONDS: Final = 180

_NAME_ANNOTATION: Final = "modelpool.dev/model-name"
_LINE: Final = re.compile(r"^(\S+) start_engine: (Starting|Ready)", re.MULTILINE)


def manifest(file: Path = EXAMPLE) -> Object:
    """Return a pool, at first the example that `skaffold run` deploys, with the images under test.

    Its simulated cards lie on its own volume, so that other pools of the one node do not hold them.
    """
    pool: Object = yaml.safe_load(file.read_text())
    pool["spec"].setdefault("gpus", {})["others"] = "Ignore"
    engines = images.Images.name("engines")
    for engine in ("vllm", "ollama"):
        pool["spec"].setdefault(engine, {})["image"] = engines
    return pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start of an engine, from taking the card to answering its health check."""

    model: str
    began: datetime
    ended: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The pool in its namespace."""

    cluster: NodeCluster
    namespace: str
    name: str = POOL
    vllm_models: tuple[str, ...] = VLLM_MODELS
    names: tuple[str, ...] = (*VLLM_MODELS, OLLAMA_MODEL)
    """All its models."""

    @classmethod
    def of(cls, cluster: NodeCluster, namespace: str, pool: Object) -> Self:
        """Return the pool that a manifest describes."""
        models = pool["spec"]["models"]
        return cls(
            cluster=cluster,
            namespace=namespace,
            name=pool["metadata"]["name"],
            vllm_models=tuple(one["name"] for one in models if one["engine"] == "vllm"),
            names=tuple(one["name"] for one in models),
        )

    @property
    def path(self) -> str:
        """Of the ModelPool in the API."""
        return f"/apis/modelpool.dev/v1alpha1/namespaces/{self.namespace}/modelpools/{self.name}"

    def apply(self, pool: Object) -> None:
        """Apply it, as a user."""
        self.cluster.kubectl("apply", f"--namespace={self.namespace}", "-f", "-", stdin=yaml.safe_dump(pool))

    def delete(self, *, timeout: int = 60) -> None:
        """Delete it, as a user; its children go in their own time."""
        self.cluster.kubectl(
            "delete", f"--namespace={self.namespace}", f"modelpool/{self.name}", f"--timeout={timeout}s"
        )

    def patch(self, spec: Object) -> None:
        """Change its spec."""
        self.cluster.api.patch(self.path, {"spec": spec}, MERGE)

    def status(self) -> Object:
        """Return its status."""
        return dict(self.cluster.api.get(self.path).get("status", {}))

    def states(self) -> dict[str, tuple[str, str]]:
        """Return every model's state and reason."""
        return {one["name"]: (one["state"], one.get("reason", "")) for one in self.status().get("models", ())}

    def condition(self, kind: str) -> Object:
        """Return a condition, or nothing where it has not been said yet."""
        return next((dict(one) for one in self.status().get("conditions", ()) if one["type"] == kind), {})

    def wait_until_ready(self, *, timeout: float = START_SECONDS) -> None:
        """Wait until all models are ready and served by what they should be."""
        ready = f"{len(self.names)}/{len(self.names)}"

        def look() -> bool:
            found = self.cluster.api.get(self.path)
            status, wanted = found.get("status", {}), found["metadata"]["generation"]
            assert status.get("observedGeneration") == wanted, (status.get("observedGeneration"), wanted)
            assert status.get("readyModels") == ready, (status.get("readyModels"), self.states())
            assert self.condition("Ready").get("status") == "True", status.get("conditions")
            return True

        waiting.wait_for(f"{ready} models of the pool", look, timeout=timeout, every=0.5)

    def pods(self, model: str | None = None) -> list[Object]:
        """Return the pods of the engines, or of one vLLM model's; Jobs' pods, which end, are not counted."""
        found = self.cluster.pods(self.namespace, f"modelpool.dev/pool={self.name}")
        kept = [pod for pod in found if pod["status"].get("phase") != "Succeeded"]
        if model is None:
            return kept
        return [pod for pod in kept if pod["metadata"].get("annotations", {}).get(_NAME_ANNOTATION) == model]

    def uids(self) -> set[str]:
        """Return the identities of all its pods, which a replaced pod does not share."""
        return {pod["metadata"]["uid"] for pod in self.pods()}

    def delete_pod(self, pod: Object) -> None:
        """Delete a pod, as anybody may."""
        self.cluster.api.delete(f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}")

    def wait_for_another(self, old: Object) -> None:
        """Wait until a vLLM model's pod has been replaced by another, the only one."""
        model = old["metadata"]["annotations"][_NAME_ANNOTATION]

        def another() -> bool:
            pods = self.pods(model)
            assert len(pods) == 1, [pod["metadata"]["name"] for pod in pods]
            assert pods[0]["metadata"]["uid"] != old["metadata"]["uid"], "the old pod is still there"
            return True

        waiting.wait_for("another pod", another, timeout=START_SECONDS, every=0.5)

    def starts(self) -> list[Start]:
        """Return the last start of every vLLM engine, in the order in which they began."""
        found = []
        for model in self.vllm_models:
            log = self.log(model)
            times = {what: datetime.fromisoformat(_short(time)) for time, what in _LINE.findall(log)}
            assert times.keys() == {"Starting", "Ready"}, f"{model} did not start:\n{log[-2000:]}"
            found.append(Start(model=model, began=times["Starting"], ended=times["Ready"]))
        return sorted(found, key=lambda start: start.began)

    def assert_started_one_by_one(self) -> None:
        """Fail when one engine began to start while another was at it."""
        starts = self.starts()
        assert len(starts) == len(self.vllm_models), starts
        for one, other in itertools.pairwise(starts):
            assert one.ended <= other.began, f"two starts overlap: {one} and {other}"

    def log(self, model: str) -> str:
        """Return what a vLLM model's one container has written since it was started, each line with its time."""
        (pod,) = self.pods(model)
        return self.cluster.kubectl("logs", f"--namespace={self.namespace}", "--timestamps", pod["metadata"]["name"])

    def cache_folder(self) -> Path:
        """Return the folder that is the pool's cache volume."""
        pod = next(pod for pod in self.pods() if pod["metadata"].get("annotations", {}).get(_NAME_ANNOTATION))
        claims = {one["name"]: one.get("persistentVolumeClaim") for one in pod["spec"]["volumes"]}
        claim = f"/api/v1/namespaces/{self.namespace}/persistentvolumeclaims/{claims['cache']['claimName']}"
        return self.cluster.folder_of(self.cluster.api.get(claim)["spec"]["volumeName"])

    def card(self, index: int, memory: int) -> cards.Card:
        """Return the account of a simulated card of so many bytes, which the engines' pods share."""
        return cards.Card(folder=self.cache_folder() / "simulated-cards", index=index, memory=memory)

    @contextlib.contextmanager
    def holding_card(self, index: int, name: str) -> Iterator[None]:
        """Hold a card's lock under a name, as an engine that takes long to start does."""
        path = self.cache_folder() / "locks" / f"{self.cluster.node}-card-{index}.lock"
        with path.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.truncate()
            lock.write(name)
            lock.flush()
            yield

    def restarts(self, model: str) -> int:
        """Return how often a vLLM model's one container was started again."""
        (pod,) = self.pods(model)
        return sum(status["restartCount"] for status in pod["status"].get("containerStatuses", ()))

    def is_ready_after(self, model: str, restarts: int) -> bool:
        """Whether a vLLM model's container was started more often than this, and is ready again.

        The pool's own status tells of neither at once: it is a moment behind.
        """
        (pod,) = self.pods(model)
        containers = pod["status"].get("containerStatuses", ())
        return self.restarts(model) > restarts and all(one["ready"] for one in containers)

    def kill_engine(self, model: str) -> str:
        """Kill a vLLM server in its container, as a crash would; returns the name of the pod."""
        (pod,) = self.pods(model)
        name = str(pod["metadata"]["name"])
        self.cluster.kubectl("exec", f"--namespace={self.namespace}", name, "--", "python3", "-c", _KILL)
        return name


def started(cluster: NodeCluster, namespace: str, pool: Object, *, volumes: bool = True) -> Pool:
    """Apply a pool in a new namespace and wait until it is ready; `volumes` false leaves its volumes to the caller."""
    cluster.add_namespace(namespace)
    for _ in range(2 if volumes else 0):  # for weights and for Ollama
        cluster.add_volume()
    found = Pool.of(cluster, namespace, pool)
    found.apply(pool)
    found.wait_until_ready()
    return found


_KILL: Final = """
import os, pathlib, signal
for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    words = path.read_bytes().split(b"\\0")
    if b"serve" in words and b"start_engine" not in b" ".join(words) and int(path.parent.name) != os.getpid():
        os.kill(int(path.parent.name), signal.SIGKILL)
        break
else:
    raise SystemExit("there is no engine")
"""


def _short(time: str) -> str:
    """Cut nanoseconds, which Python does not read, to microseconds."""
    return re.sub(r"\.(\d{6})\d*", r".\1", time)
