"""A `ModelPool` and the parts of its spec that concern the pool as a whole.

Defaults stand here and nowhere else: the CRD has none, so that the API server writes nothing into what the user wrote.
Its rules count with the same ones, and tests hold them to these.
"""

from datetime import datetime
from enum import Enum
from typing import Any

import msgspec

from modelpool_operator.api.models import Model
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.quantity import Quantity
from modelpool_operator.api.servers import OllamaServer, OnDelete, VllmDefaults


class Sharing(Enum):
    """How the pods of one card share it. `facts` of each mode stand in docs/concepts/sharing.md."""

    TIME_SLICING = "timeSlicing"
    VISIBLE_DEVICES = "visibleDevices"
    HAMI = "hami"
    DRA = "dra"
    EXCLUSIVE = "exclusive"
    AUTO = "auto"
    """One of the others, by what the cluster offers. Planning knows it only until it has chosen."""


class Filling(Enum):
    """Which of several cards that have room is taken first."""

    SPREAD = "spread"
    PACK = "pack"


class Others(Enum):
    """What becomes of what other pools and pods hold of a node's cards."""

    COUNT = "Count"
    IGNORE = "Ignore"
    """Somebody else sees to it that they are on other cards, or leave room."""


class Gpus(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The cards a pool may use on its node."""

    count: int = 1
    """Cards, at least one."""
    memory: Quantity | None = None
    """Of each card. Absent: read from the node."""
    reserve: Quantity = Quantity("0")
    """Kept free on each card, for programs the pool does not know."""
    sharing: Sharing = Sharing.TIME_SLICING
    placement: Filling = Filling.SPREAD
    """`spread`: the fullest card is as little full as possible. `pack`: as few cards as possible are used."""
    others: Others = Others.COUNT
    resource_name: str = "nvidia.com/gpu"
    runtime_class_name: str | None = None


class Cache(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The volume of the pool's weights and of its card locks."""

    size: Quantity = Quantity("100Gi")
    storage_class_name: str | None = None
    existing_claim: str | None = None
    on_delete: OnDelete = OnDelete.DELETE
    """`Retain`: the volume outlives the pool, and a pool of the same name takes it up again."""


class SecretKeyRef(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """One key of a Secret in the pool's namespace."""

    name: str
    key: str = "token"


class HuggingFace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Where weights come from, and with whose right."""

    token_secret_ref: SecretKeyRef | None = None
    endpoint: str | None = None
    """A mirror's URL, passed as HF_ENDPOINT."""


class Routing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """How the gateway holds requests of this pool back."""

    max_pending: int = 256
    """Requests that may wait for one backend; one more is refused."""
    queue_timeout_seconds: int = 60
    """How long a request may wait before it is refused, in seconds."""


class Network(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Who may reach the pool's engines past the gateway, by a NetworkPolicy."""

    isolate: bool | None = None
    """Absent: where the operator knows its gateways."""
    clients: list[dict[str, Any]] = []
    """Kubernetes NetworkPolicyPeers that may reach every engine, beside the gateways."""
    monitoring: list[dict[str, Any]] = []
    """NetworkPolicyPeers that may reach vLLM's port, on which its metrics are."""


class PoolSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What the user wants."""

    models: tuple[Model, ...]
    gpus: Gpus = Gpus()
    node_selector: dict[str, str] = {}
    tolerations: list[dict[str, Any]] = []
    affinity: dict[str, Any] | None = None
    priority_class_name: str | None = None
    image_pull_secrets: list[dict[str, Any]] = []
    service_account_name: str | None = None
    pod_labels: dict[str, str] = {}
    """Of every pod of the pool, beside the operator's own."""
    pod_annotations: dict[str, str] = {}
    fs_group: int | None = None
    """The group of the volumes' files, where the StorageClass knows groups."""
    cache: Cache = Cache()
    hugging_face: HuggingFace = HuggingFace()
    vllm: VllmDefaults = VllmDefaults()
    ollama: OllamaServer = OllamaServer()
    routing: Routing = Routing()
    network: Network | None = None

    @property
    def replicated(self) -> bool:
        """Whether a model has replicas, or may come to have some: then engines stand on nodes of their own."""
        return any(model.most_replicas > 1 for model in self.models)


class ModelPool(msgspec.Struct, frozen=True, kw_only=True):
    """A ModelPool as the API server holds it, without its status."""

    ref: ObjectRef
    uid: str
    generation: int
    created: datetime | None
    spec: PoolSpec
