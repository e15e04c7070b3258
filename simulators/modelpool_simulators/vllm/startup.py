"""From flags to a loaded engine: take memory of the simulated cards as vLLM does, and let the time pass that it
takes.

Two engines that do this at the same time on one card see each other's allocations as their own, and at least one
fails; one after the other they are fine. Called once by `__main__`, before anything listens.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import cards, catalog, quantities
from . import downloads, memory
from .flags import Flags
from .settings import Settings

log = logging.getLogger(__name__)

_STEPS = 10
"""The weights arrive in so many parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What the engine can serve."""

    model: catalog.Model
    max_model_len: int
    cache_tokens: int
    cache_bytes: int
    holdings: tuple[cards.Holding, ...] = ()
    """Memory held on the cards, until released or until the process ends."""


async def load(flags: Flags, settings: Settings, devices: Sequence[cards.Card]) -> Loaded:
    """Load the model and size the cache; raises memory.StartupError."""
    model = catalog.look_up(flags.model)
    trained: int = settings.context_length or flags.hf_overrides.get("max_position_embeddings") or model.context
    memory.check_length(flags.max_model_len, trained)
    if settings.start_error is not None:
        await asyncio.sleep(settings.load_seconds)
        raise memory.StartupError("RuntimeError", settings.start_error)
    if settings.download is not None and settings.home is not None:
        await downloads.fetch(Path(settings.home), flags.model, settings.download, settings.load_seconds)
    if not devices:
        await asyncio.sleep(settings.load_seconds)
        length = trained if flags.max_model_len in (None, -1) else flags.max_model_len
        tokens = max(settings.unprofiled_cache_tokens, length or 0)
        return Loaded(
            model=model,
            max_model_len=length or trained,
            cache_tokens=tokens,
            cache_bytes=flags.kv_cache_memory_bytes or tokens * model.cache_per_token,
        )
    needs = _needs(flags, settings, model, min(card.memory for card in devices))
    holdings = tuple(card.hold(flags.name) for card in devices)
    try:
        async with asyncio.TaskGroup() as tasks:
            shares = [
                tasks.create_task(_on_card(card, holding, flags, settings, needs), name=f"card {card.index}")
                for card, holding in zip(devices, holdings, strict=True)
            ]
        return _sized(min(share.result() for share in shares), flags, needs, model, trained, holdings)
    except ExceptionGroup as group:
        _release(holdings)
        raise group.exceptions[0] from None
    except BaseException:
        _release(holdings)
        raise


def _release(holdings: Sequence[cards.Holding]) -> None:
    for holding in holdings:
        holding.release()


def _sized(
    cache: int,
    flags: Flags,
    needs: memory.Needs,
    model: catalog.Model,
    trained: int,
    holdings: tuple[cards.Holding, ...],
) -> Loaded:
    """Say what a cache of this size can serve."""
    length = memory.fit_length(needs, cache=cache, wanted=flags.max_model_len, trained=trained)
    if flags.max_model_len == -1 and length < trained:
        log.info("Auto-fit max_model_len: reduced from %d to %d to fit in available GPU memory", trained, length)
    tokens = cache * length // needs.of_sequence(length) if needs.sliding_per_token else cache // needs.cache_per_token
    log.info("GPU KV cache size: %s tokens", f"{tokens:,}")
    log.info("Maximum concurrency for %s tokens per request: %.2fx", f"{length:,}", tokens / length)
    return Loaded(model=model, max_model_len=length, cache_tokens=tokens, cache_bytes=cache, holdings=holdings)


def _needs(flags: Flags, settings: Settings, model: catalog.Model, card: int) -> memory.Needs:
    weights = settings.weights or model.weights
    narrow = 2 if flags.kv_cache_dtype.startswith("fp8") else 1
    cache, heads = model.cache_per_token // narrow, min(flags.tensor_parallel_size, model.heads)
    if flags.speculative and (draft := flags.speculative.get("model")):
        smaller = catalog.look_up(str(draft))
        weights += smaller.weights
        cache += smaller.cache_per_token
    return memory.Needs(
        weights=weights // flags.tensor_parallel_size,
        activations=settings.activations,
        graphs=0 if flags.enforce_eager else settings.graphs,
        cache_per_token=max(cache // heads, 1),
        sliding_per_token=model.sliding_per_token // narrow // heads,
        window=model.window,
        batched=flags.max_num_batched_tokens or memory.batched_by_default(card),
    )


async def _on_card(
    card: cards.Card, holding: cards.Holding, flags: Flags, settings: Settings, needs: memory.Needs
) -> int:
    """Take this card's share; return the bytes of its cache."""
    fraction = flags.gpu_memory_utilization
    try:
        holding.resize(catalog.CONTEXT_OVERHEAD)
        before = card.free()
        memory.check_gate(free=before, total=card.memory, fraction=fraction, device=card.index)
        held = catalog.CONTEXT_OVERHEAD
        for part in range(1, _STEPS + 1):
            held = catalog.CONTEXT_OVERHEAD + needs.weights * part // _STEPS
            holding.resize(held)
            await asyncio.sleep(settings.load_seconds / _STEPS)
        log.info(
            "Model loading took %s GiB memory and %.6f seconds", quantities.gib(needs.weights), settings.load_seconds
        )
        if flags.kv_cache_memory_bytes is not None:
            cache = flags.kv_cache_memory_bytes
        else:
            holding.resize(held + needs.activations)
            await asyncio.sleep(settings.profile_seconds)
            holding.resize(held)
            if settings.sliced and needs.graphs:
                raise cards.OutOfMemoryError(needs.graphs, 0, card.memory)
            cache = memory.cache_bytes(
                needs, total=card.memory, fraction=fraction, free_before=before, free_after=card.free()
            )
        log.info("Available KV cache memory: %.2f GiB", cache / quantities.GIB)
        holding.resize(held + needs.activations + needs.graphs + cache)
    except cards.OutOfMemoryError as error:
        raise memory.StartupError(
            "torch.OutOfMemoryError",
            f"CUDA out of memory. Tried to allocate {error.wanted / quantities.GIB:.2f} GiB. GPU {card.index} has a "
            f"total capacity of {error.total / quantities.GIB:.2f} GiB of which {error.free / quantities.GIB:.2f} "
            "GiB is free.",
        ) from error
    return cache
