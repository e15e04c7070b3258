"""What a mode of sharing answers, and the answers that most modes give."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from modelpool_operator.api.pool import ModelPool, PoolSpec, Sharing
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.objects.identity import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a pod needs in its template to see its cards."""

    limits: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)
    """ResourceClaims by the name that the pod calls them."""
    runtime_class_name: str | None = None
    fraction: float | None = None
    """What vLLM is told to use, where that is not the share's fraction of the card."""
    arguments: tuple[str, ...] = ()
    """Arguments of `vllm serve` that the mode asks for."""
    states_cache: bool = False
    """Whether vLLM is told how large its cache is, where that is known, in place of finding it out."""


NO_CARD: Final = Access(env={"CUDA_VISIBLE_DEVICES": "-1", "NVIDIA_VISIBLE_DEVICES": "void"})
"""Of a pod that must not see any card, even where the node's default runtime shows all of them to everybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """What an engine takes of one card, in bytes."""

    bytes: int
    """Its share: weights, working memory and cache."""
    overhead: int
    """Beside the share: the CUDA context, and what a mode adds to it."""


class CardUse(Protocol):
    """What a mode must know of a share that has been placed."""

    @property
    def gpus(self) -> tuple[int, ...]:
        """The cards, ascending."""

    @property
    def bytes(self) -> int:
        """Of each card, the context not included."""

    @property
    def overhead(self) -> int:
        """Bytes of each card beside the share."""

    @property
    def memory(self) -> int:
        """Bytes of each of the cards."""


class Mode:
    """One way to share a card. The methods here are the answers of a mode that has nothing special to say."""

    way: Sharing = Sharing.AUTO
    """What a pool calls it; the answers here are also those of a pool that has chosen none yet."""
    whole_cards: bool = False
    """Whether a card belongs to one engine alone."""
    shows_slice: bool = False
    """Whether a program sees its portion as if it were the whole card."""
    states_cache: bool = False
    """Whether vLLM's measuring of its card may fail under this mode, so that the size of its cache is said."""
    by_devices: bool = False
    """Whether its cards are those that a DRA driver tells of, and a pool has each of them whole beside other pools."""
    in_parts: bool = False
    """Whether who hands cards out may choose, for an engine, a card that others are shown by its index."""
    is_replicated: bool = False
    """Whether an engine gets a replica of a card, which may be of the same card as another one."""
    shows_cards: bool = False
    """Whether nodes may have cards for it although they offer none as an extended resource."""
    overhead_note: str = ""
    """What beside contexts an overhead holds, for the sums that a user reads."""

    def objection(self, spec: PoolSpec) -> Refusal | None:
        """Return why the pool cannot be shared in this way, or None."""
        return None

    def counter(self, spec: PoolSpec) -> str | None:
        """Return who counts the cards of a pool's engines: an extended resource, a system, or None for nobody."""
        return spec.gpus.resource_name

    def resource(self, spec: PoolSpec) -> str | None:
        """Return the extended resource that each engine asks the scheduler for, or None."""
        return None

    def of_node(self, gpus: frozenset[int]) -> Mapping[str, int]:
        """Return what engines on these cards need of their node beside what their pods ask for, by what tells of it."""
        return {}

    def portion(self, wanted: int, *, memory: int, reserve: int, context: int) -> Portion:
        """Return what an engine takes of a card.

        Args:
            wanted: bytes that the user gives it.
            memory: bytes of the card.
            reserve: bytes that are kept free on the card.
            context: bytes of the engine's CUDA context.
        """
        return Portion(bytes=wanted, overhead=context)

    def access(self, pool: ModelPool, use: CardUse) -> Access:
        """Return how a pod gets at its cards. Called only for pools without objection."""
        raise NotImplementedError

    def children(self, pool: ModelPool, gpus: frozenset[int], whole_card: int | None = None) -> tuple[Manifest, ...]:
        """Return objects that must exist before pods get at these cards.

        Args:
            pool: whose.
            gpus: the cards that are used.
            whole_card: bytes to ask for, where cards may be given to several at once.
        """
        return ()


def engines_on_cards(spec: PoolSpec) -> dict[str, int]:
    """Return every engine that has a share of a card, with the number of its cards."""
    own = (model for model in spec.models if model.gpu_memory is not None or model.gpu_memory_fraction is not None)
    wide = {model.name: model.tensor_parallel_size for model in own}
    return {**wide, "ollama": 1} if spec.ollama.enabled and spec.ollama.gpu_memory.bytes > 0 else wide


def objection_to_pins(spec: PoolSpec, *, mode: str, chooser: str) -> Refusal | None:
    """Refuse a pool that pins a model to one of several cards, where somebody else chooses."""
    pinned = next((model for model in spec.models if model.gpu is not None), None)
    if pinned is None or spec.gpus.count == 1:
        return None
    message = f"`gpu` of {pinned.name} must not be set with sharing '{mode}': {chooser} chooses the cards"
    return Refusal(reason="SharingNotPossible", message=message)
