"""What keeps an engine from starting and is not in its pod's status: its Deployment or its volume, or by an Event.

Pure. `model_states` reads an engine's Deployment and pods; where they say that it waits, and not for what, it is said
here.
"""

from typing import Final

from modelpool_operator.api.models import Engine, Model
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import ModelState
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.observation import denials, diagnosis
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_states import State
from modelpool_operator.planning.reporting import volume_states

DENIED: Final = "DeploymentDenied"
_NO_PODS: Final = frozenset({"FailedCreate", "ReplicaFailure"})
"""Reasons of a Deployment whose pods are not let in."""


def explained(state: State, pool: ModelPool, model: Model, engine: Engine, observed: Observed) -> State:
    """Return the state of an engine by what blocks it, where it does not say so itself.

    Args:
        state: as the Deployment and the pods tell it.
        pool: whose model it is.
        model: which model; those of Ollama have one server and one volume.
        engine: on which the trouble is.
        observed: with what was refused, and what was said of whatever hangs.
    """
    if state.reason == "NotCreated" and (said := _refusal_of(pool, model, engine, observed)) is not None:
        reason = denials.cause_of(said) or DENIED
        return State(state=ModelState.FAILED, reason=reason, message=denials.words_of(said))
    if state.reason in _NO_PODS:
        reason = denials.cause_of(state.message) or state.reason
        return State(state=ModelState.FAILED, reason=reason, message=denials.words_of(state.message))
    if state.state is ModelState.PULLING_IMAGE:
        return _by_its_pods(state, model, engine, observed)
    return volume_states.explained(state, pool, model, engine, observed)


def _refusal_of(pool: ModelPool, model: Model, engine: Engine, observed: Observed) -> str | None:
    """Return what the API server said of the engine's Deployment, or None where it took it."""
    name = PROFILES[engine].deployment(pool, model)
    found = (said for ref, said in observed.refused.items() if (ref.kind, ref.name) == ("Deployment", name))
    return next(found, None)


def _by_its_pods(state: State, model: Model, engine: Engine, observed: Observed) -> State:
    """Return what was said of a pod that its node does not start, or the state as it is."""
    profile = PROFILES[engine]
    for pod in observed.pods:
        said = observed.said.get(("Pod", pod.name))
        its = pod.component == profile.component and (profile.of_pool or pod.model == model.name)
        if said is not None and its and not pod.deleting:
            message = diagnosis.image_trouble(said.message)
            return State(state=ModelState.FAILED, reason=said.reason, message=message)
    return state
