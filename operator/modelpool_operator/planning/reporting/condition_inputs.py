"""What the checks behind a pool's conditions may look at, and how they put models into words. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import ModelState
from modelpool_operator.planning.changes.plan import Plan
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_states import State
from modelpool_operator.planning.reporting.conditions import Verdict
from modelpool_operator.planning.reporting.model_states import ModelView


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionInputs:
    """Everything that a check may look at."""

    pool: ModelPool
    observed: Observed
    plan: Plan
    models: tuple[ModelView, ...]
    failures: tuple[str, ...]
    fights: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    was_ready: bool = False
    """Whether this generation of the pool was said to be ready before."""


Check = Callable[[ConditionInputs], Verdict | None]


def shared_reason(models: Sequence[ModelView]) -> str:
    """Return the reason that all have, or a word for several."""
    reasons = {model.own.reason for model in models}
    return reasons.pop() if len(reasons) == 1 else "EnginesFailed"


def line_of(model: ModelView) -> str:
    """Return one model in words: `qwen3:8b: Loading, the engine starts (served by its fallback)`."""
    helped = model.status.state in (ModelState.FALLBACK, ModelState.STOPPED) and model.status.served_by is not None
    help_ = " (served by its fallback)" if helped else ""
    return f"{model.status.name}: {words_of(model.own)}{help_}"


def words_of(state: State) -> str:
    """Return a state as its reason and message."""
    return f"{state.reason}: {state.message}" if state.message else state.reason
