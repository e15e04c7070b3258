"""How vLLM 0.32 divides a card, and the words with which it gives up.

Pure: numbers in, numbers or a `StartupError` out. `startup` measures the card and applies this.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass

from ..quantities import GIB

BLOCK = 16
"""Tokens of a block of the cache."""
_SEE = "See https://docs.vllm.ai/en/latest/configuration/conserving_memory/ for more details."


class StartupError(Exception):
    """The engine cannot start; the message is the line of vLLM's log that says why."""

    def __init__(self, kind: str, message: str, *, in_engine: bool = True) -> None:
        super().__init__(f"{kind}: {message}")
        self.in_engine = in_engine
        """Whether the engine process failed; its parent then ends with a line of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the model wants of one card, in bytes."""

    weights: int
    activations: int
    graphs: int
    cache_per_token: int
    """Of layers that look back upon everything."""
    sliding_per_token: int = 0
    """Of layers that look back upon a window."""
    window: int = 0
    batched: int = 0
    """Tokens that one step may add to a sequence."""

    def of_sequence(self, tokens: int) -> int:
        """Return the bytes of cache that one sequence of so many tokens is promised.

        A layer with a window keeps it and what one step adds, and a block more, as the window may begin inside one.
        """
        if not self.sliding_per_token or tokens <= 0:
            return self.cache_per_token * tokens
        blocks = -(-min(self.window - 1 + self.batched, tokens) // BLOCK) + 1
        return self.cache_per_token * tokens + self.sliding_per_token * blocks * BLOCK


def batched_by_default(card: int) -> int:
    """Return the tokens of a step where nobody says, on a card of so many bytes."""
    return 8192 if card >= 70 * GIB else 2048


def requested(total: int, fraction: float) -> int:
    """Return the bytes that --gpu-memory-utilization asks for."""
    return math.ceil(total * fraction)


def check_gate(*, free: int, total: int, fraction: float, device: int) -> None:
    """Refuse to start when the card has less free memory than the fraction asks for."""
    wanted = requested(total, fraction)
    if free < wanted:
        raise StartupError(
            "ValueError",
            f"Free memory on device cuda:{device} ({_gib(free)}/{_gib(total)} GiB) on startup is less than desired "
            f"GPU memory utilization ({fraction}, {_gib(wanted)} GiB). Decrease GPU memory utilization or reduce GPU "
            "memory used by other processes.",
        )


def cache_bytes(needs: Needs, *, total: int, fraction: float, free_before: int, free_after: int) -> int:
    """Return what is left for the key-value cache after profiling.

    Both measurements are device wide: whatever neighbours allocated in between is charged to this engine, and
    whatever they freed beyond our own weights breaks the profiling.
    """
    if free_before < free_after:
        raise StartupError(
            "AssertionError",
            f"Error in memory profiling. Initial free memory {_gib(free_before)} GiB, current free memory "
            f"{_gib(free_after)} GiB. This happens when other processes sharing the same container release GPU memory "
            "while vLLM is profiling during initialization. To fix this, ensure consistent GPU memory allocation or "
            "isolate vLLM in its own container.",
        )
    left = requested(total, fraction) - (free_before - free_after) - needs.activations - needs.graphs
    if left <= 0:
        raise StartupError(
            "ValueError",
            "No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the "
            f"engine. {_SEE}",
        )
    return left


def fit_length(needs: Needs, *, cache: int, wanted: int | None, trained: int) -> int:
    """Return the longest sequence to serve: `wanted` (-1: what fits), or what the model was trained for."""
    upper = cache // needs.cache_per_token
    fits = (bisect.bisect_right(range(1, upper + 1), cache, key=needs.of_sequence)) // BLOCK * BLOCK
    if wanted == -1:
        if fits < 1:
            raise StartupError("ValueError", f"No available memory for the cache blocks. {_SEE}")
        return min(fits, trained)
    length = wanted or trained
    if length > fits:
        raise StartupError(
            "ValueError",
            f"To serve at least one request with the model's max seq len ({length}), "
            f"({_gib(needs.of_sequence(length))} GiB KV cache is needed, which is larger than the available KV "
            f"cache memory ({_gib(cache)} GiB). Based on the available memory, the estimated maximum model "
            f"length is {fits}. Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when "
            f"initializing the engine. {_SEE}",
        )
    return length


def check_length(wanted: int | None, trained: int) -> None:
    """Refuse a length beyond what the model was trained for."""
    if wanted is not None and wanted > trained:
        raise StartupError(
            "pydantic_core._pydantic_core.ValidationError",
            "1 validation error for ModelConfig\n"
            f"  Value error, User-specified max_model_len ({wanted}) is greater than the derived max_model_len "
            f"(max_position_embeddings={trained}.0 or model_max_length=None in model's config.json). To allow "
            "overriding this maximum, set the env var VLLM_ALLOW_LONG_MAX_MODEL_LEN=1. "
            "VLLM_ALLOW_LONG_MAX_MODEL_LEN must be used with extreme caution.",
            in_engine=False,
        )


def _gib(size: int) -> str:
    return f"{round(size / GIB, 2)}"
