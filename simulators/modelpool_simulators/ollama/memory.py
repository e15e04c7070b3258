"""How Ollama 0.33 fits a model into a card.

It measures what is free at that moment, whoever gave it back, leaves what OLLAMA_GPU_OVERHEAD says, and takes the rest:
there is no limit of its own. Beside other models a model is loaded whole or not yet, and one of the others has to go.
Alone, what does not fit stays in main memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import cards
from ..quantities import GIB
from .store import Model

MINIMUM = 457 * 1024**2
"""Of a card, kept out of the count for the CUDA context that each model's process opens."""
GRAPH = 4 * GIB // 10
"""Buffers for what a model computes."""


def need_of(model: Model, cache: int) -> int:
    """Return the bytes of a model with a cache of so many bytes."""
    return model.size + GRAPH + cache


def take(
    devices: Sequence[cards.Card], model: Model, *, cache: int, overhead: int, whole: bool
) -> cards.Holding | None:
    """Take memory of the first card that holds the model; where it need not be whole, else what the first card has."""
    need = need_of(model, cache)
    for card in devices:
        room = card.free() - overhead - MINIMUM
        size = need if need <= room else 0 if whole else max(0, room)
        if not size:
            continue
        holding = card.hold(f"ollama {model.name}")
        try:
            holding.resize(size + MINIMUM)
        except cards.OutOfMemoryError:  # a neighbour was quicker
            holding.release()
        else:
            return holding
    return None
