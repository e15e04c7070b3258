"""The engines of a pool on their cards: those that have pods, those that may start, and those of a plan. Reducers.

`pool_holdings` puts them together, and tells where those are counted that have no node.
"""

from collections.abc import Collection, Container, Iterable, Mapping
from typing import Final, NamedTuple

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.quantity import count_in
from modelpool_operator.api.status import ModelState
from modelpool_operator.planning.objects.identity import CLAIM, ChildRef, Manifest
from modelpool_operator.planning.observation import pod_states
from modelpool_operator.planning.observation.holdings import (
    ENDED,
    HAMI,
    counter_in,
    counter_of,
    fraction_in,
    percent_in,
)
from modelpool_operator.planning.observation.pod_views import PodView, cards_in
from modelpool_operator.planning.placement.node_choice import SELECTED_NODE
from modelpool_operator.planning.sharing.shares import Placement

OLLAMA: Final = "Ollama"
_UNDER_WAY: Final = frozenset(
    {
        ModelState.PENDING,
        ModelState.PULLING_IMAGE,
        ModelState.WAITING,
        ModelState.DOWNLOADING,
        ModelState.LOADING,
    }
)


class Occupant(NamedTuple):
    """One engine on its cards, which the pool counts from 0, whatever index they have on the node."""

    what: str
    gpus: tuple[int, ...]
    bytes: int
    """Of each card."""
    counter: str | None
    node: str | None = None
    starting: bool = False
    """Whether it is about to measure its cards: it starts, and has not failed."""
    ending: bool = False
    copies: int = 1
    """Replicas of it: on its node, or, where it has none, wherever they are put."""
    fraction: float | None = None
    percent: int | None = None
    """As `Hold` has them."""


def standing(
    pods: Iterable[PodView],
    troubled: Container[tuple[str, str]] = (),
    children: Mapping[ChildRef, Manifest] | None = None,
) -> tuple[Occupant, ...]:
    """Return the engines that have pods, also those that end.

    Args:
        pods: of the pool.
        troubled: of what an Event tells a trouble, by kind and name: such a pod is not about to start.
        children: Deployments of the pool: Ollama's tells what its pod has, which does not say so itself.
    """
    servers = [one for one in startable(children or {}) if one.what == OLLAMA]
    found: list[Occupant] = []
    for pod in pods:
        if pod.phase in ENDED:
            continue
        if pod.component == names.OLLAMA_COMPONENT:
            found += [one._replace(node=pod.node, ending=pod.deleting) for one in servers]
        elif pod.held > 0 and pod.gpus:
            starting = _starts(pod) and ("Pod", pod.name) not in troubled
            found.append(
                Occupant(
                    pod.model or OLLAMA,
                    pod.gpus,
                    pod.held,
                    pod.counter,
                    pod.node,
                    starting=starting,
                    ending=pod.deleting,
                    fraction=pod.fraction,
                    percent=pod.percent,
                )
            )
    return tuple(found)


def startable(children: Mapping[ChildRef, Manifest], pods: Iterable[PodView] = ()) -> tuple[Occupant, ...]:
    """Return the engines whose Deployments are there; one that has none of these pods may be about to start."""
    there = {pod.model for pod in pods}
    found = (_startable(child, there) for ref, child in children.items() if ref.kind == "Deployment")
    return tuple(one for one in found if one.gpus)


def promised(pool: ModelPool, placement: Placement, starting: frozenset[str] = frozenset()) -> tuple[Occupant, ...]:
    """Return the engines of a plan; how the pool shares its cards is settled.

    Args:
        pool: whose.
        placement: of the plan.
        starting: the models whose engines the plan starts.
    """
    counter = counter_of(pool.spec)
    copies = {model.name: max(1, model.most_replicas) for model in pool.spec.models}
    return tuple(
        Occupant(
            OLLAMA if share.of_pool else share.model,
            share.gpus,
            share.bytes + share.overhead,
            counter,
            starting=share.model in starting,
            copies=1 if share.of_pool else copies.get(share.model, 1),
            fraction=share.fraction if not share.of_pool and counter != HAMI else None,
            percent=-(-100 * (share.bytes + share.overhead) // share.memory) if counter == HAMI else None,
        )
        for share in placement.shares
    )


def last_nodes(children: Mapping[ChildRef, Manifest]) -> tuple[str, ...]:
    """Return the node for which a pool's volume was made, or that its Deployments name; none where neither is said."""
    claims = (one for ref, one in children.items() if ref.kind == CLAIM)
    made_for = {(one["metadata"].get("annotations") or {}).get(SELECTED_NODE) for one in claims}
    found = [node for node in made_for if node is not None]
    if len(found) != 1:
        pods = [one["spec"]["template"].get("spec") or {} for ref, one in children.items() if ref.kind == "Deployment"]
        named = {(one.get("nodeSelector") or {}).get(names.HOSTNAME_LABEL) for one in pods}
        found = [node for node in named if node is not None]
    return tuple(found) if len(found) == 1 else ()


def _starts(pod: PodView) -> bool:
    """Return whether a pod's engine is yet to measure its cards, which it has done once its startup probe succeeds."""
    return not pod.deleting and not pod.engine.started and pod_states.state_of(pod).state in _UNDER_WAY


def _startable(deployment: Manifest, there: Collection[str | None]) -> Occupant:
    template = deployment["spec"]["template"]
    inner = (template.get("metadata") or {}).get("annotations") or {}
    said = {**(deployment["metadata"].get("annotations") or {}), **inner}
    what = said.get(names.MODEL_ANNOTATION, OLLAMA)
    status, pod = deployment.get("status") or {}, template.get("spec") or {}
    denied = any(one.get("type") == "ReplicaFailure" for one in status.get("conditions") or ())
    return Occupant(
        what,
        cards_in(said.get(names.CARD_ANNOTATION, "")),
        count_in(said.get(names.MEMORY_ANNOTATION)) or 0,
        counter_in(pod),
        starting=what not in there and not denied and _makes_pods(deployment["spec"]),
        copies=max(1, deployment["spec"].get("replicas", 1)),
        fraction=fraction_in(pod) if what != OLLAMA else None,
        percent=percent_in(pod),
    )


def _makes_pods(spec: Manifest) -> bool:
    return spec.get("replicas", 1) > 0 and not spec.get("paused")
