"""What is reported: four conditions by ordered chains of pure checks, and every model with its real reason.

`Planned`: the spec can be carried out. `Ready`: every model is answered by its own engine, as this generation of the
spec wants it. `Progressing`: something is on its way. `Degraded`: something is not as wanted and does not mend itself
by waiting. `Stalled`, only there where it holds: nothing moves until somebody changes something.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from msgspec import structs

from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.quantity import GIB, gib
from modelpool_operator.api.status import ArithmeticLine, GatewayStatus, GpuStatus, ModelState, PoolStatus
from modelpool_operator.planning import sharing
from modelpool_operator.planning.changes.plan import Plan
from modelpool_operator.planning.memory import arithmetic
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement import card_arithmetic
from modelpool_operator.planning.reporting import condition_checks, conditions, model_states
from modelpool_operator.planning.reporting.condition_checks import CONDITIONS
from modelpool_operator.planning.reporting.condition_inputs import Check, ConditionInputs
from modelpool_operator.planning.reporting.conditions import Verdict, no, unknown, yes
from modelpool_operator.planning.reporting.degraded_checks import with_fights
from modelpool_operator.planning.sharing.shares import Placement


def assess(
    pool: ModelPool,
    observed: Observed,
    plan: Plan,
    *,
    previous: PoolStatus | None,
    now: datetime,
    failures: Sequence[str] = (),
    fights: Sequence[str] = (),
    held: Sequence[str] = (),
    gateway: GatewayStatus | None = None,
) -> PoolStatus:
    """Return the pool's status.

    Args:
        pool: what is wanted.
        observed: what was seen after the plan was carried out.
        plan: what was decided from both.
        previous: the status so far; a condition that keeps its status keeps its time.
        now: the time of a transition, timezone aware.
        failures: changes of the plan that the API server refused, as sentences.
        fights: what others change again and again, as sentences.
        held: changes that wait for their time, since there were too many of them, as sentences.
        gateway: where clients point to, or None when the operator does not know.
    """
    was_ready = conditions.was_ready(previous, pool.generation)
    models = model_states.models_of(plan.settled or pool, observed, plan, was_ready=was_ready)
    inputs = ConditionInputs(
        pool=pool,
        observed=observed,
        plan=plan,
        models=models,
        failures=tuple(failures),
        fights=tuple(fights),
        held=tuple(held),
        was_ready=was_ready,
    )
    said = {kind: _first(checks, inputs) for kind, checks in CONDITIONS.items()}
    said[conditions.DEGRADED] = with_fights(said[conditions.DEGRADED], inputs.fights)
    if (stuck := condition_checks.stalled(inputs)) is not None:
        said[conditions.STALLED] = stuck
    ready = sum(1 for model in models if model.status.state is ModelState.READY)
    cards = _gpus(plan.placement) if isinstance(plan.placement, Placement) else previous.gpus if previous else ()
    return PoolStatus(
        observed_generation=pool.generation,
        conditions=tuple(
            conditions.condition(kind, verdict, previous=previous, generation=pool.generation, now=now)
            for kind, verdict in said.items()
        ),
        ready_models=f"{ready}/{len(models)}",
        gpu_count=pool.spec.gpus.count,
        sharing=plan.sharing,
        gpus=cards,
        free_gpu_memory=", ".join(card.free for card in cards) or None,
        models=tuple(model.status for model in models),
        gateway=gateway,
    )


def assess_held(
    pool: ModelPool,
    observed: Observed,
    plan: Plan,
    why: Verdict,
    *,
    previous: PoolStatus | None,
    now: datetime,
    fights: Sequence[str] = (),
    gateway: GatewayStatus | None = None,
) -> PoolStatus:
    """Return the status of a pool that is being deleted, and held by somebody: `Degraded` says `why`.

    Args:
        pool: what was wanted.
        observed: how it is.
        plan: what would be done of it; nothing is.
        why: what holds it.
        previous: the status so far.
        now: the time of a transition, timezone aware.
        fights: what others change again and again, as sentences.
        gateway: where clients point to.
    """
    undone = replace(plan.without({*plan.changed, *plan.delete}), waits=(), rollout_waits=(), starts=())
    status = assess(pool, observed, undone, previous=previous, now=now, gateway=gateway)
    said = with_fights(why, fights)
    degraded = conditions.condition(conditions.DEGRADED, said, previous=previous, generation=pool.generation, now=now)
    others = (one for one in status.conditions if one.type != conditions.DEGRADED)
    return structs.replace(status, conditions=(*others, degraded))


def assess_invalid(
    *, generation: int, error: str, previous: PoolStatus | None, now: datetime, fights: Sequence[str] = ()
) -> PoolStatus:
    """Return the status of a ModelPool that could not be parsed: `Planned` is False with reason `InvalidSpec`.

    What ran keeps running, and nobody looked at it: the other conditions are unknown, the rest is as it was.
    """
    nobody_looked = unknown("InvalidSpec", "The spec cannot be read, so nothing was looked at")
    said = dict.fromkeys(CONDITIONS, nobody_looked)
    said[conditions.DEGRADED] = with_fights(nobody_looked, fights)
    said |= {conditions.PLANNED: no("InvalidSpec", error), conditions.STALLED: yes("InvalidSpec", error)}
    return _unseen(generation, said, previous=previous, now=now)


def assess_failed(
    *,
    generation: int,
    reason: str,
    message: str,
    passing: bool,
    previous: PoolStatus | None,
    now: datetime,
    fights: Sequence[str] = (),
) -> PoolStatus:
    """Return the status of a pool over which a pass failed: `Degraded` says why, and what was known stays as it was.

    Args:
        generation: of the spec that the pass was about.
        reason: why it failed, in one word.
        message: the cause and what to do about it.
        passing: whether waiting is likely to mend it: the other conditions then stay as they were, and speak of the
            generation that they spoke of; else nobody knows.
        previous: the status so far.
        now: the time of a transition, timezone aware.
        fights: what others change again and again, as sentences.
    """
    nobody_looked = unknown(reason, "The last look at the pool failed; see Degraded")
    broken = with_fights(yes(reason, message), fights)
    said = dict.fromkeys(CONDITIONS, nobody_looked) | {conditions.DEGRADED: broken}
    status = _unseen(generation, said, previous=previous, now=now)
    if not passing or previous is None or not previous.conditions:
        return status
    kept = {one.type: one for one in previous.conditions if one.type != conditions.DEGRADED}
    return structs.replace(
        status,
        observed_generation=previous.observed_generation,
        conditions=(
            *(kept.get(one.type, one) for one in status.conditions),
            *(one for one in previous.conditions if one.type == conditions.STALLED),
        ),
    )


def _unseen(generation: int, said: Mapping[str, Verdict], *, previous: PoolStatus | None, now: datetime) -> PoolStatus:
    """Return a status with these conditions and the rest as it was."""
    return PoolStatus(
        observed_generation=generation,
        conditions=tuple(
            conditions.condition(kind, verdict, previous=previous, generation=generation, now=now)
            for kind, verdict in said.items()
        ),
        ready_models=previous.ready_models if previous else "0/0",
        gpu_count=previous.gpu_count if previous else 0,
        sharing=previous.sharing if previous else None,
        gpus=previous.gpus if previous else (),
        free_gpu_memory=previous.free_gpu_memory if previous else None,
        models=previous.models if previous else (),
        gateway=previous.gateway if previous else None,
    )


def _first(checks: Sequence[Check], inputs: ConditionInputs) -> Verdict:
    """Return what the first check with something to say says; the last one of a chain always has."""
    found = next((verdict for check in checks if (verdict := check(inputs)) is not None), None)
    if found is None:
        raise AssertionError("a chain of checks must end with one that always answers")
    return found


def _gpus(placement: Placement) -> tuple[GpuStatus, ...]:
    """Return the cards as shown: `planned` is rounded, and `free` is what is left of the rounded numbers."""
    shown, note = [], sharing.MODES[placement.sharing].overhead_note
    for card in placement.cards:
        tenth = GIB / 10
        memory, planned, others = (
            round(amount / tenth) for amount in (card.memory, card.planned, card.reserve + arithmetic.total(card.held))
        )
        shown.append(
            GpuStatus(
                index=card.index,
                memory=gib(card.memory),
                planned=f"{planned / 10:.1f}Gi",
                free=f"{max(0, memory - planned - others) / 10:.1f}Gi",
                models=tuple(share.model for share in card.shares),
                arithmetic=tuple(
                    ArithmeticLine(what=line.label, memory=line.shown, of=line.spelled)
                    for line in card_arithmetic.lines_of(card, note)
                ),
            )
        )
    return tuple(shown)
