"""Which engines keep what they have until another card's engines answer with what changed. Pure.

A change of the image, or of anything else that all engines share, restarts every engine of the pool. It goes card by
card, so that some models answer all the while, and an image that does not work takes one card down and not the pool:
the cards behind it keep what they have until somebody sets it right.

An engine that does not answer has nothing to lose and waits for nobody. Nor does anybody wait for one that answered
once and crashed since, or that never did; only for one that is being replaced. Where that one fails by itself, with an
image that the others run already, they do not wait for it; nor for one that has an image of somebody else's, whose
change the API server refuses, or that others change back each time. An engine that asks for another key than gateways
have answers none of them, and goes at once.

Engines that shall stand elsewhere, on other cards or other nodes, all change at once: those of one pool stand together.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from modelpool_operator.api import names
from modelpool_operator.api.status import ModelState
from modelpool_operator.planning.changes.memory_waits import restarts
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.manifests import engine_keys
from modelpool_operator.planning.objects.identity import ChildRef, Manifest, model_of, template_of
from modelpool_operator.planning.observation import pod_states
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.planning.sharing.shares import Placement

_PLACE: Final = ("affinity", "nodeSelector", "resourceClaims", "runtimeClassName", "tolerations")
"""Fields of a pod that say where it stands."""
_FAILING: Final = frozenset({ModelState.FAILED, ModelState.UNSCHEDULABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutWait:
    """An engine whose change waits for another card."""

    model: str
    behind: str
    """An engine that has to answer first."""
    gpu: int
    """That one's card."""

    def __str__(self) -> str:
        return f"{self.model}: is changed once {self.behind} on card {self.gpu} answers with the change"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Engine:
    """One vLLM model as it is and as it shall be."""

    model: str
    ref: ChildRef
    gpus: tuple[int, ...]
    wanted: Manifest
    live: Manifest | None
    answers: bool
    restarts: bool
    """Whether it is to be changed."""
    replaced: bool
    """Whether a change is under way, and what was changed does not answer yet."""
    failing: bool
    stuck: bool
    """Whether the API server refuses its change, or others undo it."""

    def holds_up(self, other: Self) -> bool:
        """Return whether `other`, on a later card, has to wait for this one."""
        if self.stuck:
            return False
        if self.restarts:
            return True
        alike = _image(self.wanted) == _image(other.wanted) != _image(other.live)
        ours = _image(self.live) == _image(self.wanted)
        return self.replaced and ours and (alike or not self.failing)


def waits_for_cards(
    placement: Placement, wanted: Mapping[ChildRef, Manifest], changing: frozenset[ChildRef], observed: Observed
) -> Mapping[ChildRef, RolloutWait]:
    """Return the Deployments that must not be applied yet.

    Args:
        placement: what every engine shall have.
        wanted: all children.
        changing: those that differ from what is there.
        observed: what is there.
    """
    engines = tuple(_engines(placement, wanted, changing, observed))
    if any(_moves(engine) for engine in engines if engine.ref in changing):
        return {}
    groups = sorted(_groups(engines), key=lambda group: not any(engine.replaced for engine in group))
    found = {}
    for place, group in enumerate(groups):
        before = [engine for earlier in groups[:place] for engine in earlier]
        for engine in (engine for engine in group if engine.restarts and engine.answers):
            first = next((one for one in before if one.holds_up(engine)), None)
            if first is not None:
                found[engine.ref] = RolloutWait(model=engine.model, behind=first.model, gpu=first.gpus[0])
    return found


def _engines(
    placement: Placement, wanted: Mapping[ChildRef, Manifest], changing: frozenset[ChildRef], observed: Observed
) -> Iterator[_Engine]:
    cards = {share.model: share.gpus for share in placement.shares}
    for ref, child in wanted.items():
        model = model_of(child)
        if model is None or model not in cards:
            continue
        pods = [pod for pod in observed.pods if pod.model == model and PROFILES.is_own(pod.component)]
        answering = [pod.template for pod in pods if pod.ready and not pod.deleting]
        live = observed.children.get(ref)
        yield _Engine(
            model=model,
            ref=ref,
            gpus=cards[model],
            wanted=child,
            live=live,
            answers=bool(answering) and not (live is not None and engine_keys.is_locked_out(live, child)),
            restarts=live is not None and ref in changing and restarts(child, ref, observed),
            replaced=live is not None and template_of(child) not in answering and _is_replaced(live) and _runs(child),
            failing=_fails(pods),
            stuck=ref in observed.refused or ref in observed.fought_over,
        )


def _groups(engines: Iterable[_Engine]) -> list[list[_Engine]]:
    """Return the engines that share cards, in the order of their first ones; one over several cards joins these."""
    groups: list[tuple[set[int], list[_Engine]]] = []
    for engine in engines:
        joined = [group for group in groups if group[0] & set(engine.gpus)]
        groups = [group for group in groups if group not in joined]
        cards = set(engine.gpus).union(*(group[0] for group in joined))
        groups.append((cards, [*(one for group in joined for one in group[1]), engine]))
    return [members for _, members in sorted(groups, key=lambda group: min(group[0]))]


def _runs(wanted: Manifest) -> bool:
    """Return whether an engine is to answer at all; for one that is stopped nobody waits."""
    return bool(wanted["spec"].get("replicas", 1))


def _is_replaced(live: Manifest) -> bool:
    """Return whether a Deployment has been changed, and what it was changed to has never been up.

    While old pods drain there is no new one, and until the new one is up the Deployment says so. One that has been up
    stays complete, whatever becomes of its pods.
    """
    generation, status = live["metadata"].get("generation") or 1, live.get("status") or {}
    if generation == 1 or (status.get("observedGeneration") or 0) < generation:
        return bool(generation > 1)
    reasons = {one.get("type"): one.get("reason") for one in status.get("conditions") or ()}
    none_yet = (status.get("updatedReplicas") or 0) < (live["spec"].get("replicas") or 0)
    return none_yet or reasons.get("Progressing") != "NewReplicaSetAvailable"


def _fails(pods: Iterable[PodView]) -> bool:
    return any(pod_states.state_of(pod).state in _FAILING for pod in pods if not pod.deleting)


def _moves(engine: _Engine) -> bool:
    """Return whether a restarted engine would stand elsewhere, or be given its card in another way."""
    if engine.live is None or template_of(engine.live) == template_of(engine.wanted):
        return False
    cards = [
        (one["metadata"].get("annotations") or {}).get(names.CARD_ANNOTATION) for one in (engine.wanted, engine.live)
    ]
    if cards[0] != cards[1]:
        return True
    wanted, live = _pod(engine.wanted), _pod(engine.live)
    if any((wanted.get(field) or None) != (live.get(field) or None) for field in _PLACE):
        return True
    return _cards(wanted) != _cards(live)


def _cards(pod: Manifest) -> dict[str, str]:
    """Return by which resources a pod is given cards: extended ones, and claims. Memory and CPU move nobody."""
    asked = _engine_in(pod).get("resources") or {}
    limits = {name: str(amount) for name, amount in (asked.get("limits") or {}).items() if "/" in name}
    return limits | {f"claim {claim['name']}": "" for claim in asked.get("claims") or ()}


def _pod(deployment: Manifest) -> Manifest:
    found: Manifest = deployment["spec"]["template"]["spec"]
    return found


def _engine_in(pod: Manifest) -> Manifest:
    """Return the engine's container, wherever it stands among others that somebody injected."""
    return next((one for one in pod["containers"] if PROFILES.is_own(one["name"])), {})


def _image(deployment: Manifest | None) -> Any:
    return None if deployment is None else _engine_in(_pod(deployment)).get("image")
