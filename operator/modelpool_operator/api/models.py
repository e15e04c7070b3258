"""One model of a pool: what clients call it, where its weights come from, what it may use."""

from enum import Enum
from typing import Final

import msgspec

from modelpool_operator.api.quantity import Quantity


class Engine(Enum):
    """The program that runs a model. What it does is for `planning.engines` to know, and which others there are."""

    VLLM = "vllm"
    OLLAMA = "ollama"

    @classmethod
    def named(cls, name: str) -> "Engine":
        """Return the engine of that name, which a ModelPool may name from now on."""
        if name not in (engine.value for engine in cls) and name not in _ADDED:
            added = object.__new__(cls)
            added._name_, added._value_ = name.upper(), name
            _ADDED[name] = added
        return cls(name)

    @classmethod
    def _missing_(cls, value: object) -> "Engine | None":
        return _ADDED.get(value)


_ADDED: Final[dict[object, Engine]] = {}
"""Engines beside the two that every pool can have, by name; each has its profile."""


class Capability(Enum):
    """What a model can do, in Ollama's words."""

    COMPLETION = "completion"
    TOOLS = "tools"
    THINKING = "thinking"
    VISION = "vision"
    EMBEDDING = "embedding"


class SpeculativeMethod(Enum):
    """How draft tokens are made."""

    NGRAM = "ngram"
    DRAFT_MODEL = "draftModel"
    EAGLE3 = "eagle3"


class Speculative(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Speculative decoding of a vLLM model."""

    method: SpeculativeMethod
    model: str | None = None
    """The draft, `hf://repo[@revision]`; required unless the method is `ngram`."""
    tokens: int = 4
    """Draft tokens a step."""


class Autoscaling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Replicas by demand."""

    min_replicas: int = 0
    max_replicas: int = 1
    target_in_flight: int = 12
    """Requests in flight that one replica should carry."""
    idle_seconds: int = 600
    """How long without a request before a replica is given up."""


class Fallback(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The Ollama model that answers when vLLM cannot."""

    enabled: bool = True
    model: str | None = None
    """Ollama's name of it. Absent: the model's own name."""


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a vLLM model samples where a request in Ollama's dialect does not say. Named as in a Modelfile."""

    temperature: float | None = None
    top_k: int | None = None
    """Of so many tokens; 0: of all."""
    top_p: float | None = None
    min_p: float | None = None
    repeat_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    num_predict: int | None = None
    """Tokens of an answer at most; -1: until the context is full."""
    stop: tuple[str, ...] | None = None


class Adapter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A LoRA adapter of a vLLM model: a model of its own to clients, on the same engine."""

    name: str
    source: str
    """`hf://repo` or `pvc://claim/path`."""
    rank: int = 16
    """Its rank, or more: what memory is kept for."""


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A model that clients ask for by name."""

    name: str
    engine: Engine
    aliases: tuple[str, ...] = ()
    source: str | None = None
    """`hf://repo[@revision]`, `pvc://claim/path` or `ollama://name`. vLLM needs one; Ollama's default is the name."""
    gpu_memory_fraction: float | None = None
    """Of one card's memory, in (0, 1]."""
    gpu_memory: Quantity | None = None
    gpu: int | None = None
    """The card, counted from 0, that the model must run on."""
    weights: Quantity | None = None
    """Size of the weights in GPU memory. Absent: the fit of the weights is unchecked, and the status says so."""
    kv_cache_memory: Quantity | None = None
    """--kv-cache-memory-bytes, of each card. Absent: the engine measures what its share has room for."""
    context_length: int | None = None
    """--max-model-len in tokens. Absent: the engine takes the longest that fits."""
    max_concurrency: int = 16
    """--max-num-seqs, and what the gateway sends at once."""
    tensor_parallel_size: int = 1
    replicas: int = 1
    autoscaling: Autoscaling | None = None
    speculative: Speculative | None = None
    capabilities: tuple[Capability, ...] = (Capability.COMPLETION,)
    parameters: Parameters | None = None
    """Absent, or where it does not say: as the model's repository does, where that is known, else as Ollama."""
    reasoning_parser: str | None = None
    tool_call_parser: str | None = None
    allowed_media_domains: tuple[str, ...] = ()
    """Hosts from which the engine may fetch what callers name by URL; absent: none."""
    adapters: tuple[Adapter, ...] = ()
    args: tuple[str, ...] = ()
    """Arguments of `vllm serve`, the last word."""
    fallback: Fallback = Fallback()

    @property
    def most_replicas(self) -> int:
        """The replicas that the model may come to have: what a choice that outlasts its scale is made for."""
        return self.replicas if self.autoscaling is None else self.autoscaling.max_replicas

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that clients may ask for: the name, the aliases, the adapters."""
        return (self.name, *self.aliases, *(adapter.name for adapter in self.adapters))
