"""Every model with its real reason: from its engine's Deployment, pods and pulls to one line of the status."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from modelpool_operator.api import names
from modelpool_operator.api.models import Model
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.quantity import gib
from modelpool_operator.api.status import ModelState, ModelStatus
from modelpool_operator.planning.changes import pulls, rollouts
from modelpool_operator.planning.changes.plan import Plan
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.observation import pod_states
from modelpool_operator.planning.observation.autoscaling import Scale
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_states import State
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.planning.placement import placement_reasons
from modelpool_operator.planning.placement.pool_placement import settled_cards
from modelpool_operator.planning.reporting import start_blockers
from modelpool_operator.planning.reporting.advice import advised
from modelpool_operator.planning.sharing.shares import Placement

UNANSWERED = frozenset({ModelState.IDLE, ModelState.STOPPED})
"""States in which a model has no engine, as it is wanted."""
AT_REST = UNANSWERED | {ModelState.READY}
"""States in which a model is as it is wanted."""
BROKEN = frozenset({ModelState.FAILED, ModelState.UNSCHEDULABLE})
"""States that do not pass by waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """One model as it is."""

    status: ModelStatus
    """As it is shown: `Fallback` where the fallback stands in."""
    own: State
    """Of the model's own engine, whoever answers."""
    stand_in: State | None = None
    """Of its fallback, when it has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What the state of an engine is read from."""

    observed: Observed
    plan: Plan
    was_ready: bool


def models_of(pool: ModelPool, observed: Observed, plan: Plan, *, was_ready: bool = False) -> tuple[ModelView, ...]:
    """Return every model of the pool, in the spec's order.

    Args:
        pool: what is wanted.
        observed: what was seen after the plan was carried out.
        plan: what was decided.
        was_ready: whether this generation was said to be ready before.
    """
    scene = _Scene(observed=observed, plan=plan, was_ready=was_ready)
    return tuple(_model(pool, model, scene) for model in pool.spec.models)


def _model(pool: ModelPool, model: Model, scene: _Scene) -> ModelView:
    observed, plan = scene.observed, scene.plan
    profile, server = PROFILES[model.engine], PROFILES.server
    name = profile.deployment(pool, model)
    if profile.of_pool:
        own, stand_in = _on_server(pool, profile.served_name(model), scene), None
    else:
        pods = [pod for pod in observed.pods if pod.component == profile.component and pod.model == model.name]
        own = _engine(name, pods, scene, observed.scales.get(model.name), stopped=model.replicas == 0)
        substitute = server.stand_in(pool.spec, model)
        stand_in = _on_server(pool, substitute, scene) if substitute is not None else None
    own = start_blockers.explained(own, pool, model, model.engine, observed)
    stand_in = start_blockers.explained(stand_in, pool, model, server.name, observed) if stand_in is not None else None
    own = advised(_on_the_move(own, observed), pool, model, model.engine, observed)
    stand_in = advised(stand_in, pool, model, server.name, observed) if stand_in is not None else None
    helped = own.state is not ModelState.READY and stand_in is not None and stand_in.state is ModelState.READY
    share = plan.placement.share_of(model.name) if isinstance(plan.placement, Placement) else None
    cards = share.gpus if share else settled_cards(observed).get(model.name, ())
    served_by = model.engine.value if own.state is ModelState.READY else server.name.value if helped else None
    ready = (_deployment(observed, name).get("status") or {}).get("readyReplicas") or 0
    status = ModelStatus(
        name=model.name,
        engine=model.engine.value,
        state=ModelState.FALLBACK if helped and own.state not in UNANSWERED else own.state,
        reason=own.reason,
        message=own.message,
        gpu=cards[0] if cards else None,
        memory=gib(share.bytes) if share else None,
        placement=placement_reasons.why(share, plan.placement)
        if share and isinstance(plan.placement, Placement)
        else None,
        served_by=served_by,
        replicas=1 if profile.of_pool else model.replicas,
        ready_replicas=int(ready),
    )
    return ModelView(status=status, own=own, stand_in=stand_in)


def _deployment(observed: Observed, name: str) -> dict[str, Any]:
    return observed.child("Deployment", name) or {}


def _engine(
    name: str, pods: Sequence[PodView], scene: _Scene, scale: Scale | None = None, *, stopped: bool = False
) -> State:
    """Return the state of the engine of a Deployment and its Service: the best of its pods, the newest of those alike.

    What answers is looked at twice: whether its Service reaches it, and whether it is what the pool wants by now.
    """
    deployment = _deployment(scene.observed, name)
    living = sorted((pod for pod in pods if not pod.deleting), key=lambda pod: (pod.ready, pod.created), reverse=True)
    lost = [pod for pod in pods if pod.deleting and pod.lost]
    if lost and not any(pod.node for pod in living):
        return pod_states.state_of(lost[-1])  # Its successor cannot start before it is known to have ended.
    if living and living[0].ready:
        return _answering(name, [pod for pod in living if pod.ready], scene)
    if living:
        return pod_states.state_of(living[0])
    if not deployment:
        refusal = scene.plan.placement
        if isinstance(refusal, Refusal):
            return State(state=ModelState.PENDING, reason=refusal.reason, message=refusal.message)
        return State(state=ModelState.PENDING, reason="NotCreated", message="The Deployment is not there yet")
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            reason, message = condition.get("reason", "ReplicaFailure"), condition.get("message", "")
            return State(state=ModelState.FAILED, reason=reason, message=message)
    if (deployment.get("spec") or {}).get("replicas") == 0:
        if scale is not None and scale.replicas == 0:
            message = f"Scaled to zero: {scale.reason}; the next request starts it"
            return State(state=ModelState.IDLE, reason="ScaledToZero", message=message)
        if scale is not None:
            return State(state=ModelState.PENDING, reason="Waking", message="It was scaled to zero, and is asked for")
        if stopped:
            return State(state=ModelState.STOPPED, reason="Stopped", message="`replicas` is 0, so it has no engine")
    return State(state=ModelState.PENDING, reason="NoPod", message="The Deployment has no pod yet")


def _answering(name: str, answering: Sequence[PodView], scene: _Scene) -> State:
    """Return the state of an engine with ready pods."""
    reached = scene.observed.endpoints
    if reached is not None and reached.get(name, frozenset()).isdisjoint(pod.name for pod in answering):
        message = f"The engine is ready, and Service {name} does not reach it: requests find nobody"
        return State(state=ModelState.LOADING, reason="NoEndpoints", message=message)
    state = pod_states.state_of(answering[0])
    why = rollouts.why_behind(name, scene.plan, scene.observed, answering, was_ready=scene.was_ready)
    if why is None:
        return state
    message = f"It answers as an earlier generation of the pool wanted it: {why}"
    return replace(state, reason="Outdated", message=message, behind=True)


def _on_the_move(state: State, observed: Observed) -> State:
    """Return the state of an engine that finds no node as long as others of the pool still end on another one."""
    left = sorted({pod.node for pod in observed.pods if pod.deleting and pod.held and not pod.lost and pod.node})
    if state.state is not ModelState.UNSCHEDULABLE or not left:
        return state
    message = f"Waits until the pool's engines on {', '.join(left)} have ended"
    return State(state=ModelState.PENDING, reason="Moving", message=message)


def _on_server(pool: ModelPool, model: str, scene: _Scene) -> State:
    """Return the state of a model of Ollama's: the server answers and the model is pulled, or what is missing."""
    pods = [pod for pod in scene.observed.pods if pod.component == PROFILES.server.component]
    server = _engine(names.ollama_name(pool.ref.name), pods, scene)
    if server.state is not ModelState.READY:
        return server
    pulled = pulls.state_of(pool, model, scene.observed, scene.plan.volume)
    return server if pulled.state is ModelState.READY else pulled
