"""Which engines must wait with a change until others have given memory back. Pure.

A card is planned for what its engines shall have. While one shrinks or leaves and another grows, the one that grows
would find the card full: it would crash, and start again and again. So its Deployment is applied once the pods that
are on their way out no longer hold what it needs; until then it serves as it is.

Pools with replicas stand on several nodes, whose cards this does not tell apart; they are not asked about here, and all
their changes come at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from modelpool_operator.planning.memory.arithmetic import exact_gib
from modelpool_operator.planning.objects.identity import ChildRef, Manifest, model_of, template_of
from modelpool_operator.planning.observation.holdings import ENDED
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.planning.sharing.shares import Placement, Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """An engine whose change has to wait."""

    model: str
    gpu: int
    """The first of its cards that is too full."""
    behind: Mapping[str, int]
    """Models with pods on their way out, and the bytes that these hold of the card."""

    def __str__(self) -> str:
        holders = ", ".join(f"{exact_gib(held)} {model}" for model, held in self.behind.items())
        return f"{self.model}: waits for room on card {self.gpu}, of which is still held: {holders}"


def waits(
    placement: Placement, wanted: Mapping[ChildRef, Manifest], changing: frozenset[ChildRef], observed: Observed
) -> Mapping[ChildRef, Wait]:
    """Return the Deployments that must not be applied yet.

    Args:
        placement: what every engine shall have.
        wanted: all children.
        changing: those that differ from what is there.
        observed: what is there, pods above all.
    """
    engines = {model: ref for ref, child in wanted.items() if (model := model_of(child)) is not None}
    leaving = [pod for pod in observed.pods if _is_leaving(pod, engines, wanted)]
    restarting = [model for model, ref in engines.items() if ref in changing and restarts(wanted[ref], ref, observed)]
    found = {
        share.model: wait
        for share in placement.shares
        if share.model in restarting and (wait := _wait(share, placement, leaving)) is not None
    }
    going = {pod.model for pod in leaving if pod.deleting or pod.model not in found}
    while found and all(going.isdisjoint(wait.behind) for wait in found.values()):
        released = next(iter(found))  # Each waits for another that waits: one has to begin.
        del found[released]
        going.add(released)
    return {engines[model]: wait for model, wait in found.items()}


def _is_leaving(pod: PodView, engines: Mapping[str, ChildRef], wanted: Mapping[ChildRef, Manifest]) -> bool:
    """Return whether a pod holds memory that the plan has given away."""
    if pod.model is None or pod.held == 0 or pod.phase in ENDED:
        return False
    ref = engines.get(pod.model)
    return pod.deleting or ref is None or pod.template != template_of(wanted[ref])


def restarts(child: Manifest, ref: ChildRef, observed: Observed) -> bool:
    """Return whether applying a Deployment starts a new pod."""
    live = observed.children.get(ref)
    return live is None or template_of(live) != template_of(child)


def begins(child: Manifest, ref: ChildRef, observed: Observed) -> bool:
    """Return whether applying a Deployment starts an engine: with a new pod, or with the first one after none."""
    if child["spec"].get("replicas", 1) == 0:
        return False
    live = observed.children.get(ref)
    return live is None or live["spec"].get("replicas", 1) == 0 or restarts(child, ref, observed)


def _wait(share: Share, placement: Placement, leaving: list[PodView]) -> Wait | None:
    """Return what an engine must wait for, or None when all its cards have room."""
    for gpu in share.gpus:
        card = placement.cards[gpu]
        planned = {one.model: one.bytes + one.overhead for one in card.shares}
        behind = dict(_beyond(gpu, planned, share.model, leaving))
        if sum(planned.values()) + sum(behind.values()) > card.memory - card.reserve:
            held = {model: more + planned.get(model, 0) for model, more in behind.items()}
            return Wait(model=share.model, gpu=gpu, behind=held)
    return None


def _beyond(gpu: int, planned: Mapping[str, int], mine: str, leaving: list[PodView]) -> Iterator[tuple[str, int]]:
    """Yield models other than `mine` whose pods hold more of a card than they shall have, with how much more."""
    for pod in leaving:
        if pod.model is not None and pod.model != mine and gpu in pod.gpus:
            more = pod.held - planned.get(pod.model, 0)
            if more > 0:
                yield pod.model, more
