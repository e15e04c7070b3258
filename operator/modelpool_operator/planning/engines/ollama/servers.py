"""Which server of a pool's Ollama answers for which model: the one on the card, or one beside it that sees no card.

Ollama has no limit of its own. It measures what is free on its card when it loads a model, and keeps it for as long as
requests come: what an engine that has died gives back goes to the next model that is loaded, and the engine finds no
room when it comes back (ADR 0034). So the server on the card is given only models that its share is for, and so many at
once as the share holds. The stand-ins, which are loaded in the very moment when an engine is away, have a server that
sees no card. Where something else holds Ollama to its share, one server has all.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from modelpool_operator.api.pool import PoolSpec, Sharing
from modelpool_operator.api.quantity import GIB
from modelpool_operator.planning import sharing
from modelpool_operator.planning.engines.ollama import models as ollama
from modelpool_operator.planning.memory import ollama_library
from modelpool_operator.planning.memory.arithmetic import exact_gib

RUNTIME: Final = 4 * GIB // 10
"""Of a loaded model: buffers for what it computes."""
CACHE_PER_TOKEN: Final = 128 * 1024
"""Bytes, as models of 8 B parameters have; of others nobody here knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """Ollama's names of models, by the server that holds them, each in the spec's order."""

    first: tuple[str, ...]
    """Of the pool's Ollama, on its card if it has one."""
    beside: tuple[str, ...] = ()
    """Of the server beside it, on the CPU; where there are none, there is no such server."""
    loaded: int
    """Models that the first server may hold in memory at once."""


def divide(spec: PoolSpec, way: Sharing) -> Division:
    """Return who holds which model, under a way of sharing.

    The share is for models that stand on Ollama by declaration; in a pool without any, for stand-ins that fit into it.
    A model that is both is one model, and stays on the card.
    """
    wanted, most = ollama.models_to_pull(spec), spec.ollama.max_loaded_models
    if not shares_a_card(spec, way):
        return Division(first=wanted, loaded=most)
    declared = ollama.declared(spec)
    share = spec.ollama.gpu_memory.bytes
    first = declared or tuple(name for name in wanted if (need := need_of(spec, name)) is not None and need <= share)
    beside = tuple(name for name in wanted if name not in first)
    return Division(first=first, beside=beside, loaded=max(1, min(most, _at_once(spec, first))))


def shares_a_card(spec: PoolSpec, way: Sharing) -> bool:
    """Return whether Ollama stands on a card on which nothing but itself holds it to its share."""
    mode = sharing.MODES.get(way)  # none while `auto` has not chosen
    has_share = spec.ollama.enabled and spec.ollama.gpu_memory.bytes > 0
    return has_share and not (mode is not None and (mode.shows_slice or mode.whole_cards))


def need_of(spec: PoolSpec, name: str) -> int | None:
    """Return about how many bytes a loaded model takes, or None where nobody knows its size."""
    size = ollama_library.size_of(name)
    if size is None:
        return None
    return size + RUNTIME + CACHE_PER_TOKEN * spec.ollama.context_length * spec.ollama.num_parallel


def notes_on(spec: PoolSpec, way: Sharing) -> tuple[str, ...]:
    """Return what a user should know of models that may take more of the card than Ollama's share."""
    if not shares_a_card(spec, way):
        return ()
    share, notes, first = spec.ollama.gpu_memory.bytes, list[str](), divide(spec, way).first
    if not first and ollama.is_needed(spec):
        notes.append(
            "`ollama.gpuMemory` is used by nobody: no model has engine 'ollama', and no fallback is known to fit"
        )
    for name in first:
        need = need_of(spec, name)
        if need is None:
            notes.append(
                f"{name}: its size on Ollama is not known, so whether `ollama.gpuMemory` holds it is unchecked"
            )
        elif need > share:
            takes = f"{name}: takes about {exact_gib(need)} on Ollama, more than `ollama.gpuMemory` {exact_gib(share)}"
            rest = "Ollama keeps the rest in main memory, but takes it from the card while an engine there is away"
            notes.append(f"{takes}: {rest}, which then may find no room to come back")
    return tuple(notes)


def unbounded(spec: PoolSpec, way: Sharing) -> tuple[str, ...]:
    """Return the models that may take more of the card than Ollama's share, or of which nobody knows."""
    if not shares_a_card(spec, way):
        return ()
    needs = {name: need_of(spec, name) for name in divide(spec, way).first}
    return tuple(name for name, need in needs.items() if need is None or need > spec.ollama.gpu_memory.bytes)


def _at_once(spec: PoolSpec, names: tuple[str, ...]) -> int:
    """Return how many of these models, whichever, the share holds together; all where a size is not known."""
    needs = [need_of(spec, name) for name in names]
    known = sorted((need for need in needs if need is not None), reverse=True)
    if len(known) < len(needs):
        return spec.ollama.max_loaded_models
    sums = accumulate(known)
    share, most = spec.ollama.gpu_memory.bytes, spec.ollama.max_loaded_models
    return next((count for count, held in enumerate(sums) if held > share), most)
