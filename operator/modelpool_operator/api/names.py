"""Every string the cluster sees: group, labels, annotations, field managers, ports and the names of children.

Nothing outside this module spells a label key or composes a child's name.
"""

import hashlib
import re
from typing import Final, NamedTuple

GROUP: Final = "modelpool.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "ModelPool"
PLURAL: Final = "modelpools"

FIELD_MANAGER: Final = "modelpool-operator"
STATUS_FIELD_MANAGER: Final = "modelpool-operator-status"

LEASE: Final = "modelpool-operator"
"""The name of the Lease by which one operator serves a namespace, or all of them, and no second one does."""

NAME_LABEL: Final = "app.kubernetes.io/name"
INSTANCE_LABEL: Final = "app.kubernetes.io/instance"
COMPONENT_LABEL: Final = "app.kubernetes.io/component"
PART_OF_LABEL: Final = "app.kubernetes.io/part-of"
MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "modelpool-operator"
PART_OF: Final = "modelpool"

POOL_LABEL: Final = f"{GROUP}/pool"
MODEL_LABEL: Final = f"{GROUP}/model"
CARD_LABEL: Final = f"{GROUP}/on-card"
"""Of pods that use a card: `true`. The pods of a pool stand together by it."""
ROUTES_LABEL: Final = f"{GROUP}/routes"

MODEL_ANNOTATION: Final = f"{GROUP}/model-name"
APPLIED_ANNOTATION: Final = f"{GROUP}/applied"
TEMPLATE_ANNOTATION: Final = f"{GROUP}/template-hash"
KEPT_OFF_ANNOTATION: Final = f"{GROUP}/kept-off"
"""Of an engine's Deployment: host names of nodes that the pool keeps off, as they are too small for all of it."""
CARD_MEMORY_ANNOTATION: Final = f"{GROUP}/card-memory"
"""Of an engine's Deployment: bytes of a card that it was planned with, where the pool leaves them to its nodes."""
ON_DELETE_ANNOTATION: Final = f"{GROUP}/on-delete"
"""Of a volume that outlives its pool: `Retain`. It has no owner; its labels and its name say whose it is."""
PULLED_ANNOTATION: Final = f"{GROUP}/pulled"
"""Of an Ollama Deployment: the models that its volume holds although their Jobs are gone."""
CARD_ANNOTATION: Final = f"{GROUP}/gpu"
MEMORY_ANNOTATION: Final = f"{GROUP}/gpu-memory"
"""Of pods that use a card, and of an Ollama's Deployment: bytes of each of its cards, share and overhead."""

OWN_LABELS: Final = frozenset({NAME_LABEL, INSTANCE_LABEL, PART_OF_LABEL, MANAGED_BY_LABEL})
"""By which pods are found, beside those of `GROUP`."""
COMMON_LABELS: Final = {PART_OF_LABEL: PART_OF, MANAGED_BY_LABEL: MANAGED_BY}
"""Of every child and every pod."""

NODE_GPU_MEMORY_LABEL: Final = "nvidia.com/gpu.memory"
"""Of a node, written by NVIDIA's feature discovery: MiB of one card."""
NODE_GPU_SHARING_LABEL: Final = "nvidia.com/gpu.sharing-strategy"
"""Of a node, written by the same: `none`, `time-slicing` or `mps`."""
NODE_GPU_COUNT_LABEL: Final = "nvidia.com/gpu.count"
"""Of a node, written by the same: how many cards there are, however they are shared."""
NODE_GPU_RESOURCES: Final = "nvidia.com/"
"""With what the names of a node's resources begin that stand for cards or parts of them."""
MIG_RESOURCES: Final = "nvidia.com/mig-"
"""With what the names of resources begin that stand for slices of a card."""
SHARED_SUFFIX: Final = ".shared"
"""With what the name of a resource ends where the device plugin renames what it offers several times."""
HAMI_NODE_ANNOTATION: Final = "hami.io/node-nvidia-register"
"""Of a node, written by HAMi's device plugin: its cards."""
DRA_DRIVER: Final = "gpu.nvidia.com"
"""NVIDIA's driver of dynamic resource allocation, and its DeviceClass of whole cards."""
SERVICE_LABEL: Final = "kubernetes.io/service-name"
"""Of an EndpointSlice: its Service. The Service's own labels are on it, too."""
HOSTNAME_LABEL: Final = "kubernetes.io/hostname"
NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"
"""Of every namespace, written by the API server: its name."""

VLLM_COMPONENT: Final = "vllm"
OLLAMA_COMPONENT: Final = "ollama"
PULL_COMPONENT: Final = "pull"
REMOVE_COMPONENT: Final = "remove"
GATEWAY_COMPONENT: Final = "gateway"
OLLAMA_CPU_CONTAINER: Final = "ollama-cpu"
"""Of Ollama's second server, which sees no card."""
OWN_CONTAINERS: Final = frozenset(
    {VLLM_COMPONENT, OLLAMA_COMPONENT, OLLAMA_CPU_CONTAINER, PULL_COMPONENT, REMOVE_COMPONENT}
)
"""Names of containers of the operator's; every other one in a pod, somebody else has put there."""

ROUTES_KEY: Final = "routes.json"
VLLM_PORT: Final = 8000
OLLAMA_PORT: Final = 11434
PORT_NAME: Final = "http"
OLLAMA_CPU_PORT: Final = 11435
OLLAMA_CPU_PORT_NAME: Final = "http-cpu"

LABEL_LENGTH: Final = 63
"""Longest label value and longest Service name, in characters (RFC 1123)."""


_RESERVED: Final = frozenset({"ollama", "cache", "routes", "scripts"})
"""With what the names of a pool's other children end."""
_FINGERPRINTED: Final = re.compile(r"-[0-9a-f]{8}$")


class ObjectRef(NamedTuple):
    """The identity of a namespaced object. A string such as `namespace/name` is not an identity."""

    namespace: str
    name: str


def folded(model: str) -> str:
    """Return a model's name without what does not matter in it, so that two that clients mean alike are equal.

    The gateway folds in the same way; both are held to one table, docs/reference/names.json.
    """
    return model.lower().removeprefix("registry.ollama.ai/").removeprefix("library/").removesuffix(":latest")


def slug(model: str) -> str:
    """Return `model` as part of an object's name: lower case, digits and dashes only."""
    return re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-") or "model"


def fingerprint(text: str, length: int = 8) -> str:
    """Return the first `length` hexadecimal digits of the text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def label_value(text: str) -> str:
    """Return `text` as a label's value: itself where that is allowed, else its slug, cut with a fingerprint."""
    if len(text) <= LABEL_LENGTH and re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", text):
        return text
    return f"{slug(text)[: LABEL_LENGTH - 9].rstrip('-')}-{fingerprint(text)}"


def child_name(pool: str, suffix: str) -> str:
    """Return `<pool>-<suffix>`, cut to 63 characters with a fingerprint in place of what was cut."""
    name = f"{pool}-{suffix}"
    if len(name) <= LABEL_LENGTH:
        return name
    return f"{name[: LABEL_LENGTH - 9].rstrip('-')}-{fingerprint(name)}"


class EngineNames(NamedTuple):
    """What the children of one vLLM model are called, and how they find its pods."""

    child: str
    """Of its Deployment, its Service and its budget."""
    label: str
    """The value of `MODEL_LABEL` in their selectors."""


def engine_names(pool: str, model: str) -> EngineNames:
    """Return the names of a vLLM model, which are no other model's, whatever else the pool holds or has held.

    Many names have one slug (`qwen3:8b`, `qwen3-8b`). The one that Ollama's library would have takes it as it is; every
    other one carries a fingerprint. So does what looks as if it carried one already.
    """
    return EngineNames(_engine_child(pool, model), _engine_label(model))


def _engine_child(pool: str, model: str) -> str:
    short = slug(model)
    stem = f"{pool}-{short}"
    taken = short in _RESERVED or _FINGERPRINTED.search(short) is not None
    if model == _as_in_a_library(short) and not taken and len(stem) <= LABEL_LENGTH:
        return stem
    return f"{stem[: LABEL_LENGTH - 9].rstrip('-')}-{fingerprint(model)}"


def _engine_label(model: str) -> str:
    value = label_value(model)
    if value != model or not _FINGERPRINTED.search(model):
        return value
    return f"{value[: LABEL_LENGTH - 9]}-{fingerprint(model)}"


def _as_in_a_library(text: str) -> str:
    """Return the one name that a slug is taken for: where a size ends it, `qwen2.5-vl:7b` for `qwen2-5-vl-7b`."""
    sized = re.fullmatch(r"(.+)-([0-9]+[bm])", text)
    return f"{re.sub(r'(?<=[0-9])-(?=[0-9])', '.', sized[1])}:{sized[2]}" if sized else text


def ollama_name(pool: str) -> str:
    """Return the name of the pool's Ollama Deployment, Service and volume."""
    return child_name(pool, "ollama")


def cache_name(pool: str) -> str:
    """Return the name of the volume that holds the pool's weights and its card locks."""
    return child_name(pool, "cache")


def routes_name(pool: str) -> str:
    """Return the name of the ConfigMap with the pool's routes document."""
    return child_name(pool, "routes")


def claim_name(pool: str, gpu: int) -> str:
    """Return the name of the ResourceClaim that stands for a card of the pool."""
    return child_name(pool, f"gpu-{gpu}")


def policy_name(pool: str) -> str:
    """Return the name of the NetworkPolicy of the pool's pods."""
    return child_name(pool, "engines")


def key_name(pool: str, mark: str, uid: str) -> str:
    """Return the name of the Secret with the key of the pool's engines; `mark` says of which release key it is."""
    return child_name(pool, f"key-{fingerprint(f'{mark} {uid}')}")


def scripts_name(pool: str) -> str:
    """Return the name of the ConfigMap with the engines' start script."""
    return child_name(pool, "scripts")


def pull_name(pool: str, model: str, volume_uid: str) -> str:
    """Return the name of the Job that pulls `model` into the Ollama volume with this uid: a new volume, a new Job."""
    return child_name(pool, f"pull-{slug(model)[:30].rstrip('-')}-{fingerprint(f'{model} {volume_uid}')}")


def remove_name(pool: str, model: str, volume_uid: str) -> str:
    """Return the name of the Job that removes `model` from the Ollama volume with this uid."""
    return child_name(pool, f"remove-{slug(model)[:28].rstrip('-')}-{fingerprint(f'{model} {volume_uid}')}")
