"""The checks behind a pool's conditions: each answers one question, and the first objection is the condition.

Pure. They look at a pool, what was seen of it, and what was decided; `status` puts their answers together.
"""

from typing import Final

from modelpool_operator.api.status import ModelState
from modelpool_operator.planning.reporting import conditions
from modelpool_operator.planning.reporting.advice import on_refusal
from modelpool_operator.planning.reporting.condition_inputs import (
    Check,
    ConditionInputs,
    line_of,
    shared_reason,
    words_of,
)
from modelpool_operator.planning.reporting.conditions import Verdict, no, yes
from modelpool_operator.planning.reporting.degraded_checks import (
    cards_are_not_as_declared,
    cards_hold_too_much,
    changes_were_refused,
    demand_is_unknown,
    engines_are_broken,
    fallbacks_are_broken,
    names_are_taken,
    others_write_without_end,
    runs_an_older_spec,
    sound,
    volumes_are_going,
)
from modelpool_operator.planning.reporting.model_states import AT_REST, BROKEN, UNANSWERED


def refused(inputs: ConditionInputs) -> Verdict | None:
    """The pool cannot be planned."""
    refusal = inputs.plan.refusal
    if refusal is None:
        return None
    advice = on_refusal(refusal.reason)
    return no(refusal.reason, f"{refusal.message}. {advice}" if advice else refusal.message)


def planned(inputs: ConditionInputs) -> Verdict:
    """The pool has a plan; whatever could not be checked is said here."""
    count, notes = len(inputs.pool.spec.models), inputs.plan.notes
    message = f"{count} model{'' if count == 1 else 's'} planned"
    if (chosen := inputs.plan.sharing) is not None:
        message = f"{message}; sharing is '{chosen.mode}': {chosen.evidence}"
    unseen = tuple(filter(None, (inputs.observed.neighbours.unseen,)))
    return yes("PlannedWithNotes" if notes else "Planned", "; ".join((message, *notes, *unseen)))


def some_model_is_not_ready(inputs: ConditionInputs) -> Verdict | None:
    """A model's own engine does not answer."""
    missing = [model for model in inputs.models if model.status.state not in AT_REST]
    if not missing:
        return None
    broken = [model for model in missing if model.own.state in BROKEN]
    fallen = all(model.status.state is ModelState.FALLBACK for model in missing)
    lines = "; ".join(line_of(model) for model in missing)
    if broken:
        return no(shared_reason(broken), lines)
    if inputs.plan.refusal is not None:
        reason = inputs.plan.refusal.reason
        advice = on_refusal(reason)
        return no(reason, f"{lines}. {advice}" if advice else lines)
    return no("ServedByFallback" if fallen else "ModelsNotReady", lines)


def some_name_is_taken(inputs: ConditionInputs) -> Verdict | None:
    """Whoever asks for a name of this pool is answered by another one."""
    taken = names_are_taken(inputs)
    return no(taken.reason, taken.message) if taken else None


def this_generation_does_not_run(inputs: ConditionInputs) -> Verdict | None:
    """What answers is not what the spec says: it cannot be, or a part of it was refused, or it has not come up.

    A generation that was ready once is not put in doubt by a refusal: that changes nothing of what runs.
    """
    if inputs.plan.refusal is not None and not inputs.was_ready:
        return no(inputs.plan.refusal.reason, f"What answers is what ran before: {inputs.plan.refusal.message}")
    if inputs.failures and not inputs.was_ready:
        return changes_were_refused(inputs, status=no)
    if inputs.held and not inputs.was_ready:
        return no("Updating", f"Changed often, and waits for its time: {'; '.join(inputs.held)}")
    late = [model for model in inputs.models if model.own.behind]
    return no("Updating", "; ".join(line_of(model) for model in late)) if late else None


def every_model_is_ready(inputs: ConditionInputs) -> Verdict:
    """All engines answer, or would when somebody asked, or are wanted to be stopped."""
    lines = [line_of(model) for model in inputs.models if model.own.state in UNANSWERED]
    stopped = any(model.own.state is ModelState.STOPPED for model in inputs.models)
    every = "Every model that is wanted to run" if stopped else "Every model"
    reason = "ModelsStopped" if all(model.own.state is ModelState.STOPPED for model in inputs.models) else "ModelsReady"
    return yes(reason, "; ".join((f"{every} is answered by its own engine", *lines)))


def nothing_is_planned(inputs: ConditionInputs) -> Verdict | None:
    """A refused pool goes nowhere."""
    return no("NotPlanned", "The spec cannot be carried out; see Planned") if inputs.plan.refusal else None


def changes_are_under_way(inputs: ConditionInputs) -> Verdict | None:
    """The plan changes something."""
    return yes("Applying", "; ".join(inputs.plan.reasons)) if inputs.plan else None


def changes_are_held_back(inputs: ConditionInputs) -> Verdict | None:
    """A change waits for its time, since its child was changed too often."""
    return yes("HeldBack", f"Changed often, and waits for its time: {'; '.join(inputs.held)}") if inputs.held else None


def changes_wait(inputs: ConditionInputs) -> Verdict | None:
    """A change waits for memory that others still hold."""
    return yes("WaitingForRoom", "; ".join(inputs.plan.waits)) if inputs.plan.waits else None


def changes_take_turns(inputs: ConditionInputs) -> Verdict | None:
    """A change waits until the engines of another card answer with it."""
    return yes("CardByCard", "; ".join(inputs.plan.rollout_waits)) if inputs.plan.rollout_waits else None


def starts_wait(inputs: ConditionInputs) -> Verdict | None:
    """An engine waits for one of another pool, on the same card, to answer."""
    return yes("WaitingForStart", "; ".join(inputs.plan.starts)) if inputs.plan.starts else None


def engines_are_under_way(inputs: ConditionInputs) -> Verdict | None:
    """An engine, or a fallback, is on its way and has not failed; or a model waits for more of its replicas."""
    moving = [
        f"{model.status.name}: {words_of(state)}"
        for model in inputs.models
        for state in (model.own, model.stand_in)
        if state is not None and state.state not in BROKEN and (state.behind or state.state not in AT_REST)
    ]
    moving += [
        f"{one.name}: {one.ready_replicas} of {one.replicas} replicas answer"
        for one in (model.status for model in inputs.models)
        if one.state is ModelState.READY and one.ready_replicas < one.replicas
    ]
    return yes("EnginesStarting", "; ".join(dict.fromkeys(moving))) if moving else None


def settled(inputs: ConditionInputs) -> Verdict:
    """Nothing moves."""
    return no("Settled", "Nothing is left to do")


def stalled(inputs: ConditionInputs) -> Verdict | None:
    """The pool cannot be, and waiting changes nothing of that."""
    refusal = inputs.plan.refusal
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
        changes_are_held_back,
        changes_wait,
        changes_take_turns,
        starts_wait,
        engines_are_under_way,
        settled,
    ),
    conditions.DEGRADED: (
        changes_were_refused,
        others_write_without_end,
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
