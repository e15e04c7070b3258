"""The checks behind a pool's conditions: each answers one question, and the first objection is the condition.

Pure. They look at a pool, what was seen of it, and what was decided; `status` puts their answers together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from modelpool_operator.api.pool import ModelPool, Sharing
from modelpool_operator.api.status import ModelState
from modelpool_operator.planning import arithmetic, cards, conditions, volume_states
from modelpool_operator.planning.advice import on_denial, on_refusal
from modelpool_operator.planning.arithmetic import exact_gib
from modelpool_operator.planning.conditions import Finding, no, yes
from modelpool_operator.planning.no_room import HELD
from modelpool_operator.planning.observed import Observed
from modelpool_operator.planning.placement import Placement
from modelpool_operator.planning.plan import Plan
from modelpool_operator.planning.pod_states import State
from modelpool_operator.planning.pool_placement import card_sizes, with_sharing
from modelpool_operator.planning.states import AT_REST, BROKEN, UNANSWERED, ModelView


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Everything that a check may look at."""

    pool: ModelPool
    observed: Observed
    plan: Plan
    models: tuple[ModelView, ...]
    failures: tuple[str, ...]
    fights: tuple[str, ...] = ()
    was_ready: bool = False
    """Whether this generation of the pool was said to be ready before."""


Check = Callable[[Sight], Finding | None]


def refused(sight: Sight) -> Finding | None:
    """The pool cannot be planned."""
    refusal = sight.plan.refusal
    if refusal is None:
        return None
    advice = on_refusal(refusal.reason)
    return no(refusal.reason, f"{refusal.message}. {advice}" if advice else refusal.message)


def planned(sight: Sight) -> Finding:
    """The pool has a plan; whatever could not be checked is said here."""
    count, notes = len(sight.pool.spec.models), sight.plan.notes
    message = f"{count} model{'' if count == 1 else 's'} planned"
    if (chosen := sight.plan.sharing) is not None:
        message = f"{message}; sharing is '{chosen.mode}': {chosen.evidence}"
    unseen = tuple(filter(None, (sight.observed.neighbours.unseen,)))
    return yes("PlannedWithNotes" if notes else "Planned", "; ".join((message, *notes, *unseen)))


def some_model_is_not_ready(sight: Sight) -> Finding | None:
    """A model's own engine does not answer."""
    missing = [model for model in sight.models if model.status.state not in AT_REST]
    if not missing:
        return None
    broken = [model for model in missing if model.own.state in BROKEN]
    fallen = all(model.status.state is ModelState.FALLBACK for model in missing)
    lines = "; ".join(_line(model) for model in missing)
    if broken:
        return no(_shared_reason(broken), lines)
    if sight.plan.refusal is not None:
        reason = sight.plan.refusal.reason
        advice = on_refusal(reason)
        return no(reason, f"{lines}. {advice}" if advice else lines)
    return no("ServedByFallback" if fallen else "ModelsNotReady", lines)


def some_name_is_taken(sight: Sight) -> Finding | None:
    """Whoever asks for a name of this pool is answered by another one."""
    taken = names_are_taken(sight)
    return no(taken.reason, taken.message) if taken else None


def this_generation_does_not_run(sight: Sight) -> Finding | None:
    """What answers is not what the spec says: it cannot be, or a part of it was refused, or it has not come up.

    A generation that was ready once is not put in doubt by a refusal: that changes nothing of what runs.
    """
    if sight.plan.refusal is not None and not sight.was_ready:
        return no(sight.plan.refusal.reason, f"What answers is what ran before: {sight.plan.refusal.message}")
    if sight.failures and not sight.was_ready:
        return changes_were_refused(sight, status=no)
    late = [model for model in sight.models if model.own.behind]
    return no("Updating", "; ".join(_line(model) for model in late)) if late else None


def every_model_is_ready(sight: Sight) -> Finding:
    """All engines answer, or would when somebody asked, or are wanted to be stopped."""
    lines = [_line(model) for model in sight.models if model.own.state in UNANSWERED]
    stopped = any(model.own.state is ModelState.STOPPED for model in sight.models)
    every = "Every model that is wanted to run" if stopped else "Every model"
    reason = "ModelsStopped" if all(model.own.state is ModelState.STOPPED for model in sight.models) else "ModelsReady"
    return yes(reason, "; ".join((f"{every} is answered by its own engine", *lines)))


def nothing_is_planned(sight: Sight) -> Finding | None:
    """A refused pool goes nowhere."""
    return no("NotPlanned", "The spec cannot be carried out; see Planned") if sight.plan.refusal else None


def changes_are_under_way(sight: Sight) -> Finding | None:
    """The plan changes something."""
    return yes("Applying", "; ".join(sight.plan.reasons)) if sight.plan else None


def changes_wait(sight: Sight) -> Finding | None:
    """A change waits for memory that others still hold."""
    return yes("WaitingForRoom", "; ".join(sight.plan.waits)) if sight.plan.waits else None


def changes_take_turns(sight: Sight) -> Finding | None:
    """A change waits until the engines of another card answer with it."""
    return yes("CardByCard", "; ".join(sight.plan.turns)) if sight.plan.turns else None


def starts_wait(sight: Sight) -> Finding | None:
    """An engine waits for one of another pool, on the same card, to answer."""
    return yes("WaitingForStart", "; ".join(sight.plan.starts)) if sight.plan.starts else None


def engines_are_under_way(sight: Sight) -> Finding | None:
    """An engine, or a fallback, is on its way and has not failed; or a model waits for more of its replicas."""
    moving = [
        f"{model.status.name}: {_words(state)}"
        for model in sight.models
        for state in (model.own, model.stand_in)
        if state is not None and state.state not in BROKEN and (state.behind or state.state not in AT_REST)
    ]
    moving += [
        f"{one.name}: {one.ready_replicas} of {one.replicas} replicas answer"
        for one in (model.status for model in sight.models)
        if one.state is ModelState.READY and one.ready_replicas < one.replicas
    ]
    return yes("EnginesStarting", "; ".join(dict.fromkeys(moving))) if moving else None


def settled(sight: Sight) -> Finding:
    """Nothing moves."""
    return no("Settled", "Nothing is left to do")


def changes_were_refused(sight: Sight, status: Callable[[str, str], Finding] = yes) -> Finding | None:
    """The API server did not take a change."""
    if not sight.failures:
        return None
    advice = list(dict.fromkeys(one for said in sight.failures if (one := on_denial(said, sight.pool))))
    return status("ApplyFailed", ". ".join(("; ".join(sight.failures), *advice)))


def children_are_fought_over(sight: Sight) -> Finding | None:
    """Somebody changes what the operator puts back, again and again."""
    if not sight.fights:
        return None
    advice = (
        "What undoes the operator's work is put back less and less often, at most every five minutes: have it leave"
        " these objects alone, and change the ModelPool instead"
    )
    return yes("Interference", f"{'; '.join(sight.fights)}. {advice}")


def runs_an_older_spec(sight: Sight) -> Finding | None:
    """What runs is not what the spec says, and cannot be."""
    if sight.plan.refusal is None or not sight.observed.children:
        return None
    return yes("RunsOlderSpec", f"What ran before keeps running: {sight.plan.refusal.message}")


def volumes_are_going(sight: Sight) -> Finding | None:
    """Engines run on a volume that is gone, or goes with the last of their pods."""
    found = volume_states.going(sight.observed)
    if not found:
        return None
    advice = "What runs keeps running until its pod ends; another volume is made after that, and filled again"
    return yes("VolumeDeleted", f"{'; '.join(found)}. {advice}")


def names_are_taken(sight: Sight) -> Finding | None:
    """An older pool serves a name of this one."""
    mine = [name for model in sight.pool.spec.models for name in model.names]
    taken = [f"{name} ({owner.namespace}/{owner.name})" for name in mine if (owner := sight.observed.claimed.get(name))]
    if not taken:
        return None
    advice = "Give the model another name here, or remove it there; the older pool serves it until then"
    return yes("NameTaken", f"Served by an older pool: {', '.join(taken)}. {advice}")


def cards_are_not_as_declared(sight: Sight) -> Finding | None:
    """The cards of a node on which the pool runs have another size than the plan counts with."""
    used = {pod.node for pod in sight.observed.pods if pod.node is not None and pod.held > 0}
    spec = with_sharing(sight.pool, sight.plan.sharing).spec
    known = card_sizes(spec, sight.observed.inventory) if spec.gpus.sharing is not Sharing.AUTO else {}
    found = cards.found_otherwise(sight.pool.spec, {node: size for node, size in known.items() if node in used})
    return yes("CardMemoryMismatch", "; ".join(found)) if found else None


def cards_hold_too_much(sight: Sight) -> Finding | None:
    """Others came to a card that the pool's engines were on, and there is no room for all."""
    placed = sight.plan.placement
    full = [card for card in placed.cards if card.free < 0 and card.held] if isinstance(placed, Placement) else []
    if not full:
        return None
    said = "; ".join(
        f"{card.named} has {exact_gib(card.memory)}, of which this pool has {exact_gib(card.planned)}, and others"
        f" {exact_gib(arithmetic.total(card.held))} ({arithmetic.spelled(card.held)})"
        for card in full
    )
    return yes("CardOvercommitted", f"{said}. {on_refusal(HELD)}")


def engines_are_broken(sight: Sight) -> Finding | None:
    """A model's own engine fails, or finds no node."""
    broken = [model for model in sight.models if model.own.state in BROKEN]
    if not broken:
        return None
    return yes(_shared_reason(broken), "; ".join(_line(model) for model in broken))


def fallbacks_are_broken(sight: Sight) -> Finding | None:
    """A model that answers has nobody to stand in for it."""
    broken = [(one.status.name, one.stand_in) for one in sight.models if one.stand_in and one.stand_in.state in BROKEN]
    if not broken:
        return None
    return yes("FallbackMissing", "; ".join(f"fallback of {name}: {_words(state)}" for name, state in broken))


def demand_is_unknown(sight: Sight) -> Finding | None:
    """Nobody can tell how many replicas are needed, so they stay as they are."""
    unknown = [f"{name}: {scale.reason}" for name, scale in sight.observed.scales.items() if not scale.known]
    return yes("DemandUnknown", f"Replicas stay as they are: {'; '.join(unknown)}") if unknown else None


def sound(sight: Sight) -> Finding:
    """Everything is as wanted, or on its way there."""
    return no("AsWanted", "Nothing is broken")


def stalled(sight: Sight) -> Finding | None:
    """The pool cannot be, and waiting changes nothing of that."""
    refusal = sight.plan.refusal
    return yes(refusal.reason, refusal.message) if refusal is not None and not refusal.passing else None


CONDITIONS: Final[dict[str, tuple[Check, ...]]] = {
    conditions.PLANNED: (refused, planned),
    conditions.READY: (
        some_model_is_not_ready,
        some_name_is_taken,
        this_generation_does_not_run,
        every_model_is_ready,
    ),
    conditions.PROGRESSING: (
        nothing_is_planned,
        changes_are_under_way,
        changes_wait,
        changes_take_turns,
        starts_wait,
        engines_are_under_way,
        settled,
    ),
    conditions.DEGRADED: (
        changes_were_refused,
        children_are_fought_over,
        runs_an_older_spec,
        names_are_taken,
        engines_are_broken,
        cards_hold_too_much,
        volumes_are_going,
        cards_are_not_as_declared,
        fallbacks_are_broken,
        demand_is_unknown,
        sound,
    ),
}


def _shared_reason(models: Sequence[ModelView]) -> str:
    """Return the reason that all have, or a word for several."""
    reasons = {model.own.reason for model in models}
    return reasons.pop() if len(reasons) == 1 else "EnginesFailed"


def _line(model: ModelView) -> str:
    """Return one model in words: `qwen3:8b: Loading, the engine starts (served by its fallback)`."""
    helped = model.status.state in (ModelState.FALLBACK, ModelState.STOPPED) and model.status.served_by is not None
    help_ = " (served by its fallback)" if helped else ""
    return f"{model.status.name}: {_words(model.own)}{help_}"


def _words(state: State) -> str:
    return f"{state.reason}: {state.message}" if state.message else state.reason
