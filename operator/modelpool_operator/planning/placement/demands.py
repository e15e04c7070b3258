"""What wants room on a card, before it has one: every vLLM model of a pool, and Ollama when it has a share."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Final

from modelpool_operator.api.models import Engine, Model
from modelpool_operator.api.pool import PoolSpec
from modelpool_operator.planning import sharing
from modelpool_operator.planning.engines.ollama import servers as ollama_servers
from modelpool_operator.planning.engines.vllm import memory as vllm_memory
from modelpool_operator.planning.memory import arithmetic, overhead
from modelpool_operator.planning.memory.arithmetic import Term, exact_gib
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.sharing.mode import Mode, Portion

OLLAMA_SHARE: Final = "ollama"
"""The name of the Ollama server's own share; its engine tells it from a model of that name."""


_MEASURED: Final = (
    "its cache cannot be counted, so vLLM measures what CUDA graphs take, which may run out of memory in a slice; set"
    " `kvCacheMemory`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """An engine that has no card yet."""

    name: str
    engine: Engine
    bytes: int
    overhead: int
    """Bytes of each card beside the share."""
    fraction: float
    width: int = 1
    first_card: int | None = None
    lines: tuple[Term, ...] = ()
    notes: tuple[str, ...] = ()
    longest_context: int | None = None


def demands_of(spec: PoolSpec, memory: int) -> tuple[Demand, ...]:
    """Return what wants room on a card: every vLLM model in the spec's order, then Ollama when it has a share."""
    wanted = [_demand(spec, model, memory) for model in spec.models if model.engine is Engine.VLLM]
    share = spec.ollama.gpu_memory.bytes
    if share > 0 and spec.ollama.enabled:
        portion = _portion(spec, share, memory, 1)
        wanted.append(
            Demand(
                name=OLLAMA_SHARE,
                engine=Engine.OLLAMA,
                bytes=portion.bytes,
                overhead=portion.overhead,
                fraction=_fraction(portion.bytes, memory),
                notes=ollama_servers.notes_on(spec, spec.gpus.sharing),
            )
        )
    return tuple(wanted)


def _is_eager(model: Model, spec: PoolSpec) -> bool:
    """Return whether the engine captures no CUDA graphs."""
    return any(arg.replace("_", "-") == "--enforce-eager" for arg in (*spec.vllm.args, *model.args))


def _portion(spec: PoolSpec, wanted: int, memory: int, width: int) -> Portion:
    context = overhead.context_bytes(memory, width)
    return sharing.mode_of(spec).portion(wanted, memory=memory, reserve=spec.gpus.reserve.bytes, context=context)


def _demand(spec: PoolSpec, model: Model, memory: int) -> Demand:
    if model.gpu_memory is not None:
        share, fraction = model.gpu_memory.bytes, _fraction(model.gpu_memory.bytes, memory)
    else:
        fraction = model.gpu_memory_fraction or 0.0
        share = int(Decimal(str(fraction)) * memory)
    width = max(1, model.tensor_parallel_size)
    portion = _portion(spec, share, memory, width)
    lines, notes = vllm_memory.needs(model, memory, tuple(spec.vllm.args))
    cache = vllm_memory.cache_of(model, portion.bytes, memory, tuple(spec.vllm.args))
    if sharing.mode_of(spec).states_cache and cache is None and not _is_eager(model, spec):
        notes = (*notes, f"{model.name}: {_MEASURED}")
    if portion.bytes != share:
        fraction = _fraction(portion.bytes, memory)
        given = f"{exact_gib(portion.bytes)} ({fraction:g} of {exact_gib(memory)})"
        notes = (*notes, f"{model.name}: is given {given}, which is what a card has beside the engine's context")
    return Demand(
        name=model.name,
        engine=Engine.VLLM,
        bytes=portion.bytes,
        overhead=portion.overhead,
        fraction=fraction,
        width=width,
        first_card=model.gpu,
        lines=lines,
        notes=notes,
        longest_context=vllm_memory.longest_context(model, portion.bytes, memory, tuple(spec.vllm.args)),
    )


def _fraction(share: int, memory: int) -> float:
    """Return four decimals, downwards: never more than what was asked for."""
    return float((Decimal(share) / memory).quantize(Decimal("0.0001"), rounding=ROUND_DOWN))


def objection_to(one: Demand, count: int, memory: int) -> Refusal | None:
    """Return what is wrong with a model by itself, whatever else the pool holds."""
    if one.width > count:
        needed = f"`tensorParallelSize` of {one.name} must be at most `gpus.count` {count}, got {one.width}"
        return Refusal(reason="TooFewCards", message=needed)
    if one.first_card is not None and not 0 <= one.first_card <= count - one.width:
        limit = count - one.width
        return Refusal(
            reason="PinBeyondCards", message=f"`gpu` of {one.name} must be from 0 to {limit}, got {one.first_card}"
        )
    needed_bytes = arithmetic.total(one.lines)
    if needed_bytes > one.bytes:
        share = f"its share is {exact_gib(one.bytes)} ({one.fraction:g} of {exact_gib(memory)})"
        need = f"{one.name} needs {exact_gib(needed_bytes)} ({arithmetic.spelled(one.lines)})"
        return Refusal(reason="ModelTooLarge", message=f"{need}, but {share}", need=one.lines, have=one.bytes)
    return None


def terms_of(demands: Sequence[Demand], reserve: int, mode: Mode) -> tuple[Term, ...]:
    """Return the summands of a card: shares, contexts, reserve."""
    terms = [Term(label=one.name, bytes=one.bytes) for one in demands]
    if demands:
        label = f"for {len(demands)} CUDA context{'s' if len(demands) > 1 else ''}{mode.overhead_note}"
        terms.append(Term(label=label, bytes=sum(one.overhead for one in demands)))
    if reserve:
        terms.append(Term(label="reserve", bytes=reserve))
    return tuple(terms)
