"""The checks behind Degraded: what is broken, or not as the pool wants it. Pure; see `condition_checks`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from modelpool_operator.api.pool import Sharing
from modelpool_operator.planning.memory import arithmetic
from modelpool_operator.planning.memory.arithmetic import exact_gib
from modelpool_operator.planning.placement.no_room import HELD
from modelpool_operator.planning.placement.pool_placement import card_sizes
from modelpool_operator.planning.reporting import volume_states
from modelpool_operator.planning.reporting.advice import on_denial, on_refusal
from modelpool_operator.planning.reporting.condition_inputs import ConditionInputs, line_of, shared_reason, words_of
from modelpool_operator.planning.reporting.conditions import MESSAGE_LENGTH, Verdict, no, shortened, yes
from modelpool_operator.planning.reporting.model_states import BROKEN
from modelpool_operator.planning.sharing import cards
from modelpool_operator.planning.sharing.shares import Placement

_INTERFERENCE: Final = "Interference"


def changes_were_refused(inputs: ConditionInputs, status: Callable[[str, str], Verdict] = yes) -> Verdict | None:
    """The API server did not take a change."""
    if not inputs.failures:
        return None
    advice = list(dict.fromkeys(one for said in inputs.failures if (one := on_denial(said, inputs.pool))))
    return status("ApplyFailed", ". ".join(("; ".join(inputs.failures), *advice)))


def others_write_without_end(inputs: ConditionInputs) -> Verdict | None:
    """Somebody changes what the operator puts back, or the spec, or the status, again and again."""
    return yes(_INTERFERENCE, _words_of(inputs.fights)) if inputs.fights else None


def with_fights(verdict: Verdict, fights: Sequence[str]) -> Verdict:
    """Return a verdict that tells of others who write without end beside what it says, which is cut to leave room."""
    if not fights or verdict.reason == _INTERFERENCE:
        return verdict
    told = _words_of(fights)[: MESSAGE_LENGTH // 2]
    room = MESSAGE_LENGTH - len(told) - 2
    return replace(verdict, message=f"{shortened(verdict.message, room)}. {told}")


def _words_of(fights: Sequence[str]) -> str:
    advice = (
        "What undoes the operator's work is put back less and less often, at most every five minutes: have it leave"
        " these objects alone, and change the ModelPool instead"
    )
    return f"{'; '.join(fights)}. {advice}"


def runs_an_older_spec(inputs: ConditionInputs) -> Verdict | None:
    """What runs is not what the spec says, and cannot be."""
    if inputs.plan.refusal is None or not inputs.observed.children:
        return None
    return yes("RunsOlderSpec", f"What ran before keeps running: {inputs.plan.refusal.message}")


def volumes_are_going(inputs: ConditionInputs) -> Verdict | None:
    """Engines run on a volume that is gone, or goes with the last of their pods."""
    found = volume_states.going(inputs.observed)
    if not found:
        return None
    advice = "What runs keeps running until its pod ends; another volume is made after that, and filled again"
    return yes("VolumeDeleted", f"{'; '.join(found)}. {advice}")


def names_are_taken(inputs: ConditionInputs) -> Verdict | None:
    """An older pool serves a name of this one."""
    mine = [name for model in inputs.pool.spec.models for name in model.names]
    taken = [
        f"{name} ({owner.namespace}/{owner.name})" for name in mine if (owner := inputs.observed.claimed.get(name))
    ]
    if not taken:
        return None
    advice = "Give the model another name here, or remove it there; the older pool serves it until then"
    return yes("NameTaken", f"Served by an older pool: {', '.join(taken)}. {advice}")


def cards_are_not_as_declared(inputs: ConditionInputs) -> Verdict | None:
    """The cards of a node on which the pool runs have another size than the plan counts with."""
    used = {pod.node for pod in inputs.observed.pods if pod.node is not None and pod.held > 0}
    spec = (inputs.plan.settled or inputs.pool).spec
    known = card_sizes(spec, inputs.observed.inventory) if spec.gpus.sharing is not Sharing.AUTO else {}
    found = cards.found_otherwise(inputs.pool.spec, {node: size for node, size in known.items() if node in used})
    return yes("CardMemoryMismatch", "; ".join(found)) if found else None


def cards_hold_too_much(inputs: ConditionInputs) -> Verdict | None:
    """Others came to a card that the pool's engines were on, and there is no room for all."""
    placed = inputs.plan.placement
    full = [card for card in placed.cards if card.free < 0 and card.held] if isinstance(placed, Placement) else []
    if not full:
        return None
    said = "; ".join(
        f"{card.named} has {exact_gib(card.memory)}, of which this pool has {exact_gib(card.planned)}, and others"
        f" {exact_gib(arithmetic.total(card.held))} ({arithmetic.spelled(card.held)})"
        for card in full
    )
    return yes("CardOvercommitted", f"{said}. {on_refusal(HELD)}")


def engines_are_broken(inputs: ConditionInputs) -> Verdict | None:
    """A model's own engine fails, or finds no node."""
    broken = [model for model in inputs.models if model.own.state in BROKEN]
    if not broken:
        return None
    return yes(shared_reason(broken), "; ".join(line_of(model) for model in broken))


def fallbacks_are_broken(inputs: ConditionInputs) -> Verdict | None:
    """A model that answers has nobody to stand in for it."""
    broken = [(one.status.name, one.stand_in) for one in inputs.models if one.stand_in and one.stand_in.state in BROKEN]
    if not broken:
        return None
    return yes("FallbackMissing", "; ".join(f"fallback of {name}: {words_of(state)}" for name, state in broken))


def demand_is_unknown(inputs: ConditionInputs) -> Verdict | None:
    """Nobody can tell how many replicas are needed, so they stay as they are."""
    unknown = [f"{name}: {scale.reason}" for name, scale in inputs.observed.scales.items() if not scale.known]
    return yes("DemandUnknown", f"Replicas stay as they are: {'; '.join(unknown)}") if unknown else None


def sound(inputs: ConditionInputs) -> Verdict:
    """Everything is as wanted, or on its way there."""
    return no("AsWanted", "Nothing is broken")
