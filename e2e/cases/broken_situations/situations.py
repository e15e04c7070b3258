"""Twelve ways in which a pool can be broken: each as a pool, what happens to it, and the words its user must read.

Statuses of containers are a kubelet's (`kubelet.yaml`), the ends of logs are engines' (`engines.yaml`): each file says
where its texts come from. Where a pod finds no node, the real scheduler says so.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from examples_pool import Pool

Object = dict[str, Any]
HERE: Final = Path(__file__).parent
KUBELET: Final[dict[str, Object]] = yaml.safe_load((HERE / "kubelet.yaml").read_text())
ENGINES: Final[dict[str, Object]] = yaml.safe_load((HERE / "engines.yaml").read_text())
NODE: Final = "pool"
"""The label of the node on which a pool's pods are held, for the test to say what becomes of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A pool in trouble."""

    title: str
    model: str
    reason: str
    """In the column REASON."""
    cause: str
    """What of the message names the cause."""
    advice: str
    """What of the message says what to do."""
    happens: Callable[["Situation", Pool], None] = lambda situation, pool: None
    spec: Object = field(default_factory=dict)
    """Of the pool, beside its one model."""
    about: Object = field(default_factory=dict)
    """Of the model."""
    elder: bool = False
    """Whether an older pool has a model of that name."""

    @property
    def name(self) -> str:
        """The pool's name: what is wrong with it, for whoever reads `kubectl get mp`."""
        return "".join(letter if letter.isalnum() else "-" for letter in self.title.lower())

    def manifest(self, node: str, name: str | None = None) -> Object:
        """Return the pool; its pods go to a node of that name."""
        model = {
            "name": self.model,
            "engine": "vllm",
            "source": "hf://google/gemma-3-4b-it",
            "weights": "4Gi",
            "contextLength": 4096,
            "gpuMemoryFraction": 0.35,
            **self.about,
        }
        if model["engine"] == "ollama":
            model = {key: model[key] for key in ("name", "engine")}
        spec = {
            "gpus": {"memory": "24Gi"},
            "nodeSelector": {"kubernetes.io/hostname": node},
            "ollama": {"enabled": model["engine"] == "ollama"},
            "models": [model],
            **self.spec,
        }
        return {
            "apiVersion": "modelpool.dev/v1alpha1",
            "kind": "ModelPool",
            "metadata": {"name": name or self.name},
            "spec": spec,
        }


def kubelet_says(reason: str, log: str | None = None) -> Callable[[Situation, Pool], None]:
    """Return what lets the engine's container be in a recorded status, with the end of an engine's log for its own."""

    def happens(situation: Situation, pool: Pool) -> None:
        status = copy.deepcopy(KUBELET[reason])
        (container,) = status["containerStatuses"]
        if log is not None:
            container["lastState"]["terminated"] |= {
                "exitCode": ENGINES[log]["exitCode"],
                "message": ENGINES[log]["log"],
            }
        _write(pool, pool.pod("vllm", situation.model), status)

    return happens


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
    pool.cluster.set_pod_ready(pool.namespace, pool.pod("ollama"), True)
    status = copy.deepcopy(KUBELET["CrashLoopBackOff"])
    (container,) = status["containerStatuses"]
    container["lastState"]["terminated"] |= {"message": ENGINES["pull"]["log"]}
    _write(pool, pool.pod("pull"), status)


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


SITUATIONS: Final = (
    Situation(
        title="Image pull",
        model="gemma3:4b",
        reason="ImagePullBackOff",
        cause="failed to resolve reference",
        advice="Check that `vllm.image` 'localhost:1/modelpool/absent:1' exists",
        spec={"vllm": {"image": "localhost:1/modelpool/absent:1"}},
        happens=kubelet_says("ImagePullBackOff"),
    ),
    Situation(
        title="Unschedulable",
        model="qwen3:8b",
        reason="Unschedulable",
        cause="didn't match Pod's node affinity/selector",
        advice="No node fits `nodeSelector` (disk=fast)",
        spec={"nodeSelector": {"disk": "fast"}},
    ),
    Situation(
        title="No GPU resource",
        model="llama3.1:8b",
        reason="NoGpuLeft",
        cause="Insufficient nvidia.com/gpu.shared",
        advice="Let the device plugin offer one `nvidia.com/gpu.shared` for each engine",
        spec={"gpus": {"memory": "24Gi", "resourceName": "nvidia.com/gpu.shared"}},
    ),
    Situation(
        title="OOM",
        model="mistral:7b",
        reason="OOMKilled",
        cause="more memory than its limit",
        advice="Raise `vllm.resources.limits.memory`, now 2Gi",
        spec={"vllm": {"resources": {"limits": {"memory": "2Gi"}}}},
        happens=kubelet_says("OOMKilled"),
    ),
    Situation(
        title="Weights too big",
        model="phi4:14b",
        reason="ModelTooLarge",
        cause="15.00Gi weights",
        advice="Raise its share, choose smaller weights, or lower `contextLength`",
        about={"weights": "15Gi"},
    ),
    Situation(
        title="Bad token",
        model="gemma3:12b",
        reason="HuggingFaceDenied",
        cause="Access to model google/gemma-3-4b-it is restricted",
        advice="Check the token in Secret hf, key token, and accept the terms at https://huggingface.co/google/gemma-3-4b-it",
        spec={"huggingFace": {"tokenSecretRef": {"name": "hf", "key": "token"}}},
        happens=kubelet_says("CrashLoopBackOff", "denied"),
    ),
    Situation(
        title="Crash loop",
        model="deepseek-r1:8b",
        reason="CrashLoopBackOff",
        cause="RuntimeError: the engine fell over",
        advice="deployment/crash-loop-deepseek-r1-8b --previous`",
        happens=kubelet_says("CrashLoopBackOff"),
    ),
    Situation(
        title="Card full",
        model="granite3.3:8b",
        reason="CardFull",
        cause="Free memory on device cuda:0 (3.1/23.65 GiB)",
        advice="`nvidia-smi` on the node shows it",
        happens=kubelet_says("CrashLoopBackOff", "card"),
    ),
    Situation(
        title="Name conflict",
        model="falcon3:7b",
        reason="NameTaken",
        cause="Served by an older pool: falcon3:7b",
        advice="Give the model another name here",
        elder=True,
        happens=lambda situation, pool: pool.cluster.set_pod_ready(
            pool.namespace, pool.pod("vllm", situation.model), True
        ),
    ),
    Situation(
        title="Volume full",
        model="olmo2:7b",
        reason="VolumeFull",
        cause="No space left on device",
        advice="PersistentVolumeClaim volume-full-cache is full: expand it",
        happens=kubelet_says("CrashLoopBackOff", "full"),
    ),
    Situation(
        title="Node lost",
        model="yi:9b",
        reason="NodeLost",
        cause="does not report any more",
        advice="Bring the node back, or delete it",
        happens=node_falls_silent,
    ),
    Situation(
        title="Ollama pull failed",
        model="cogito:8b",
        reason="PullFailed",
        cause="pull model manifest: file does not exist",
        advice="Check that Ollama's library has 'cogito:8b'",
        about={"engine": "ollama"},
        happens=pull_fails,
    ),
)
