"""What the status says of models that are scaled by demand: idle is as wanted, waking is on its way."""

from dataclasses import replace
from datetime import UTC, datetime

from modelpool_operator.api.status import ModelState, PoolStatus
from modelpool_operator.planning.changes.plan import make_plan
from modelpool_operator.planning.observation.autoscaling import Scale, scaled
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.reporting.status import assess
from modelpool_operator.tests.planning.pools import after, pool_of, vllm

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ASLEEP = Scale(replicas=0, reason="no request for 600 s")


def assessed(first: Scale, then: Scale) -> PoolStatus:
    """Return the status of a pass that decided `then`, after one that decided `first`."""
    pool = pool_of(vllm("a", 0.3, autoscaling={"maxReplicas": 2}), ollama={"enabled": False})
    before = Observed(scales={"a": first})
    observed = after(before, make_plan(scaled(pool, {"a": first}), before), available=False)
    told, observed = scaled(pool, {"a": then}), replace(observed, scales={"a": then})
    return assess(told, observed, make_plan(told, observed), previous=None, now=NOW)


def said(status: PoolStatus, kind: str) -> tuple[str, str, str]:
    (found,) = (one for one in status.conditions if one.type == kind)
    return found.status.value, found.reason, found.message


def test_a_model_at_zero_is_as_it_is_wanted() -> None:
    status = assessed(ASLEEP, ASLEEP)
    (model,) = status.models
    told = "Scaled to zero: no request for 600 s; the next request starts it"
    assert (model.state, model.reason, model.message) == (ModelState.IDLE, "ScaledToZero", told)
    assert (model.replicas, model.served_by, model.gpu) == (0, None, 0)
    ready = "Every model is answered by its own engine; a: ScaledToZero: " + told
    assert said(status, "Ready") == ("True", "ModelsReady", ready)
    assert said(status, "Progressing") == ("False", "Settled", "Nothing is left to do")
    assert said(status, "Degraded") == ("False", "AsWanted", "Nothing is broken")


def test_a_model_that_is_asked_for_again_is_on_its_way() -> None:
    awake = Scale(replicas=1, reason="12 requests at once are one replica's")
    waking = assessed(ASLEEP, awake)
    assert said(waking, "Ready")[:2] == ("False", "ModelsNotReady")
    assert said(waking, "Progressing")[:2] == ("True", "Applying")
    (model,) = waking.models
    assert (model.state, model.reason) == (ModelState.PENDING, "Waking")


def test_what_is_unknown_is_said() -> None:
    unknown = Scale(replicas=1, reason="the demand is unknown: it rains", known=False)
    status = assessed(unknown, unknown)
    told = "Replicas stay as they are: a: the demand is unknown: it rains"
    assert said(status, "Degraded") == ("True", "DemandUnknown", told)
