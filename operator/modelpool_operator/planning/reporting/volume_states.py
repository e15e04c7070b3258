"""What an engine's volumes suffer from, where they keep it from starting: not let in, without a volume, lost, or going.

Pure. A pod without a node tells little of its volumes: the scheduler says nothing while a volume is being made, and of
a claim that was denied only that it is not there. So the claims are looked at, with what the API server said when one
was refused, and what the control plane last said of one in an Event.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from modelpool_operator.api.models import Engine, Model
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import ModelState
from modelpool_operator.planning.engines.pod_parts import cache_claim
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.manifests import volumes
from modelpool_operator.planning.objects.identity import CLAIM, Manifest, is_going
from modelpool_operator.planning.observation import denials
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_states import State

DENIED: Final = "VolumeDenied"
MISSING: Final = "VolumeMissing"
GOING: Final = "VolumeDeleted"
LOST: Final = "VolumeLost"
PENDING: Final = "VolumePending"

_WITHOUT_A_POD: Final = frozenset({"NotCreated", "NoPod", "Scheduling", "Unschedulable", "NoGpuLeft", "VolumePending"})
"""Reasons of a model whose engine does not run yet."""
_MISSING: Final = re.compile(r'persistentvolumeclaim "(?P<claim>[^"]+)" not found')
_GOING: Final = re.compile(r'persistentvolumeclaim "(?P<claim>[^"]+)" is being deleted')
_LOST: Final = re.compile(r'persistentvolumeclaim "(?P<claim>[^"]+)" bound to non-existent persistentvolume')
_UNBOUND: Final = re.compile(
    r"unbound immediate PersistentVolumeClaims|did(?:n't| not) find available persistent volumes"
)


def explained(state: State, pool: ModelPool, model: Model, engine: Engine, observed: Observed) -> State:
    """Return the state of an engine; that of its volume, where this keeps it from having a pod or its pod from a node.

    Args:
        state: as the Deployment and the pods tell it.
        pool: whose model it is.
        model: which model; of an engine 'ollama', all have one volume.
        engine: on which the trouble is.
        observed: with the pool's claims, what was refused, and what was said of them.
    """
    if state.reason not in _WITHOUT_A_POD:
        return state
    found = (_trouble(claim, state, observed) for claim in claims_of(pool, model, engine))
    return next((one for one in found if one is not None), state)


def claims_of(pool: ModelPool, model: Model, engine: Engine) -> Iterator[str]:
    """Yield the claims that an engine's pod mounts, the pool's own first."""
    yield from PROFILES[engine].claims(pool, model)


def is_own(pool: ModelPool, claim: str) -> bool:
    """Return whether a claim is one that the operator makes, and makes anew when it is gone."""
    cache, models = pool.spec.cache.existing_claim, pool.spec.ollama.storage.existing_claim
    return (cache is None and claim == cache_claim(pool)) or (models is None and claim == PROFILES.server.claim(pool))


def going(observed: Observed) -> tuple[str, ...]:
    """Return sentences about claims of the pool that lose what they hold, while engines may still run on them."""
    return tuple(
        words
        for ref, claim in sorted(observed.children.items())
        if ref.kind == CLAIM and (words := _losing(ref.name, claim)) is not None
    )


def _trouble(name: str, state: State, observed: Observed) -> State | None:
    """Return what is wrong with one claim, or None."""
    claim = observed.child(CLAIM, name)
    refused = (said for ref, said in observed.refused.items() if (ref.kind, ref.name) == (CLAIM, name))
    if claim is None and (said := next(refused, None)) is not None:
        return _state(ModelState.FAILED, DENIED, f"{CLAIM} {name} was not let in: {denials.words_of(said)}")
    if claim is not None and (words := _losing(name, claim)) is not None:
        return _state(ModelState.FAILED, GOING if is_going(claim) else LOST, words)
    if claim is None and (reason := _reason_of(state.message, name)) is not None:
        return _state(ModelState.FAILED, reason, _words(reason, name))
    return _pending(name, claim, state, observed)


def _reason_of(scheduler_says: str, name: str) -> str | None:
    """Return what the scheduler says of a claim that is not looked at here; of one that is, its words may be old."""
    sentences = ((_GOING, GOING), (_LOST, LOST), (_MISSING, MISSING))
    found = ((words.search(scheduler_says), reason) for words, reason in sentences)
    return next((reason for match, reason in found if match is not None and match["claim"] == name), None)


def _pending(name: str, claim: Manifest | None, state: State, observed: Observed) -> State | None:
    """Return that a claim waits for its volume, where that is why its pod has no node."""
    if claim is not None and volumes.is_bound(claim):
        return None
    said = observed.said.get((CLAIM, name))
    unbound = _UNBOUND.search(state.message) is not None
    waits = unbound and (claim is not None or said is not None)
    if not waits and not (state.reason == "Scheduling" and claim is not None and said is not None):
        return None
    why = f": {said.message}" if said is not None else ""
    stuck = ModelState.UNSCHEDULABLE if unbound or said is not None else state.state
    return _state(stuck, PENDING, f"{CLAIM} {name} has no volume yet{why}")


def _losing(name: str, claim: Manifest) -> str | None:
    if is_going(claim):
        return _words(GOING, name)
    return _words(LOST, name) if _phase(claim) == "Lost" else None


def _words(reason: str, name: str) -> str:
    told = {
        GOING: "was deleted, and goes with all that it holds as soon as no pod uses it",
        LOST: "has lost its volume: the PersistentVolume that it was bound to is gone",
        MISSING: "does not exist",
    }
    return f"{CLAIM} {name} {told[reason]}"


def _phase(claim: Manifest) -> Any:
    return (claim.get("status") or {}).get("phase")


def _state(state: ModelState, reason: str, message: str) -> State:
    return State(state=state, reason=reason, message=message)
