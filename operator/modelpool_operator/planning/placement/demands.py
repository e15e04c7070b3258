"""What wants room on a card: every model of a pool with a share of its own, and the pool's server when it has one."""

from collections.abc import Sequence

from modelpool_operator.api.pool import PoolSpec
from modelpool_operator.planning.engines.demand import Demand
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.memory import arithmetic
from modelpool_operator.planning.memory.arithmetic import Term, exact_gib
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.sharing.mode import Mode


def demands_of(spec: PoolSpec, memory: int) -> tuple[Demand, ...]:
    """Return what wants room on a card: every model with a share in the spec's order, then servers of the pool."""
    own = (PROFILES[model.engine].demand_of(spec, model, memory) for model in spec.models)
    servers = (profile.demand_of_pool(spec, memory) for profile in PROFILES)
    return tuple(one for demands in (own, servers) for one in demands if one is not None)


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
