"""What the operator reports: a ModelPool's status, as the CRD has it."""

from datetime import datetime
from enum import Enum

import msgspec


class ConditionStatus(Enum):
    """As metav1.Condition has it."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A metav1.Condition. `lastTransitionTime` moves only when `status` does."""

    type: str
    status: ConditionStatus
    reason: str
    message: str
    observed_generation: int
    last_transition_time: datetime


class ArithmeticLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One summand of a card."""

    what: str
    memory: str
    of: str | None = None
    """What is known to go into it, as a sum."""


class GpuStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One card as planned."""

    index: int
    memory: str
    planned: str
    free: str
    models: tuple[str, ...] = ()
    arithmetic: tuple[ArithmeticLine, ...] = ()
    """Adds up to the card's memory."""


class ModelState(Enum):
    """Where a model is on its way to answering requests."""

    PENDING = "Pending"
    UNSCHEDULABLE = "Unschedulable"
    PULLING_IMAGE = "PullingImage"
    WAITING = "Waiting"
    DOWNLOADING = "Downloading"
    LOADING = "Loading"
    READY = "Ready"
    IDLE = "Idle"
    STOPPED = "Stopped"
    FALLBACK = "Fallback"
    FAILED = "Failed"


class ModelStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One model as it is."""

    name: str
    engine: str
    state: ModelState
    reason: str = ""
    message: str = ""
    gpu: int | None = None
    memory: str | None = None
    placement: str | None = None
    """Why it stands on its card and on no other of several."""
    served_by: str | None = None
    """`vllm`, `ollama`, or absent when nobody can answer."""
    replicas: int = 0
    ready_replicas: int = 0


class SharingStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The way of sharing that was chosen for a pool that leaves it to the operator."""

    mode: str
    evidence: str
    """What was found in the cluster that this way needs."""
    resource_name: str | None = None
    """The extended resource, where it is another than the spec's."""


class GatewayStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where clients point to."""

    openai: str
    ollama: str


class PoolStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The whole status subresource."""

    observed_generation: int
    conditions: tuple[Condition, ...]
    ready_models: str = "0/0"
    gpu_count: int = 0
    """Cards that the pool may use, said or not: a printer column shows nothing where the spec says nothing."""
    free_gpu_memory: str | None = None
    """What the plan leaves free on each card in order: `0.9Gi, 3.2Gi`. A printer column can show only one value."""
    sharing: SharingStatus | None = None
    """With `spec.gpus.sharing: auto`."""
    gpus: tuple[GpuStatus, ...] = ()
    models: tuple[ModelStatus, ...] = ()
    gateway: GatewayStatus | None = None
