"""Which model on which card, with how many bytes, in which start order; or why not.

The rule per card: Σ over its processes of (share + 0.5 GiB of CUDA context) + reserve ≤ memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from modelpool_operator.api.models import Engine
from modelpool_operator.api.pool import PoolSpec
from modelpool_operator.api.quantity import GIB
from modelpool_operator.planning.cards import Card
from modelpool_operator.planning.refusals import Refusal

CONTEXT_OVERHEAD: Final = GIB // 2
"""Bytes that a process holds on a card beside its share: CUDA context, NCCL and cuBLAS handles, 0.4 to 0.6 GiB."""

OLLAMA_SHARE: Final = "ollama"
"""`Share.model` of the Ollama server's own share; its `engine` tells it from a model of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One summand of what a model needs."""

    label: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one engine may take of each of its cards."""

    model: str
    engine: Engine
    gpus: tuple[int, ...]
    bytes: int
    """Of each card, the context not included."""
    fraction: float
    """Of each card's memory: what vLLM is told."""
    overhead: int = CONTEXT_OVERHEAD
    """Bytes of each card beside the share."""
    start: int
    """Place in the start order of its cards, from 0."""
    lines: tuple[Term, ...] = ()
    """What is known to go into the share, per card: weights, runtime, one sequence's KV cache. What is left is cache."""
    notes: tuple[str, ...] = ()
    """What could not be checked, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCard:
    """One card with what was put on it; `planned + reserve + free == memory`."""

    index: int
    memory: int
    reserve: int
    planned: int
    free: int
    shares: tuple[Share, ...] = ()
    """In start order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The answer."""

    cards: tuple[PlannedCard, ...]
    shares: tuple[Share, ...]
    """In start order: largest first, as the one that finds no room should be the smallest."""

    def share_of(self, model: str) -> Share | None:
        """Return the share of a vLLM model, or None when it holds none."""
        return next((share for share in self.shares if share.engine is Engine.VLLM and share.model == model), None)

    @property
    def ollama(self) -> Share | None:
        """The Ollama server's own share, or None when it runs on the CPU."""
        return next((share for share in self.shares if share.engine is Engine.OLLAMA), None)

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be checked, of all models."""
        return tuple(note for share in self.shares for note in share.notes)


def place(
    spec: PoolSpec, cards: tuple[Card, ...], settled: Mapping[str, tuple[int, ...]] | None = None
) -> Placement | Refusal:
    """Return where every engine of the pool goes, or why that is impossible.

    Args:
        spec: what the user wants.
        cards: what there is.
        settled: cards on which models already run; they stay there if everything still fits.
    """
    raise NotImplementedError
