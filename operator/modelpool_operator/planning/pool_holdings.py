"""What a pool holds of cards: what its pods have, what its Deployments may start, and what its plan promises.

An engine that is to change holds the larger of what it has and what it shall have, as the old one goes first. One that
is scaled to zero, or whose pod is not there, keeps what it had. What a pod has it holds until it is gone.
"""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from modelpool_operator.api import names
from modelpool_operator.api.models import Engine
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import ModelPool, Sharing
from modelpool_operator.api.quantity import count_in
from modelpool_operator.api.status import ModelState
from modelpool_operator.planning import pod_states
from modelpool_operator.planning.holdings import DRA, ENDED, Hold, counter_in, counter_of
from modelpool_operator.planning.manifests import ChildRef, Manifest
from modelpool_operator.planning.placement import Placement
from modelpool_operator.planning.pod_views import PodView, cards_in

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


def standing(pods: Iterable[PodView], troubled: Container[tuple[str, str]] = ()) -> tuple[Occupant, ...]:
    """Return the engines that have pods, also those that end.

    Args:
        pods: of the pool.
        troubled: of what an Event tells a trouble, by kind and name: such a pod is not about to start.
    """
    return tuple(
        Occupant(
            pod.model or OLLAMA,
            pod.gpus,
            pod.held,
            pod.counter,
            pod.node,
            starting=_starts(pod) and ("Pod", pod.name) not in troubled,
        )
        for pod in pods
        if pod.held > 0 and pod.gpus and pod.phase not in ENDED
    )


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
    return tuple(
        Occupant(
            OLLAMA if share.engine is Engine.OLLAMA else share.model,
            share.gpus,
            share.bytes + share.overhead,
            counter,
            starting=share.model in starting,
        )
        for share in placement.shares
    )


def holds_of(
    ref: ObjectRef, pods: Iterable[Occupant], others: Iterable[Occupant], *, home: str | None, sharing: Sharing
) -> tuple[Hold, ...]:
    """Return what a pool holds.

    Args:
        ref: the pool.
        pods: engines that stand.
        others: engines that may start, or shall; those that stand too, stand where they do.
        home: the node of those that have none yet, if that is known.
        sharing: how the pool shares its cards.
    """
    found: dict[tuple[str, tuple[int, ...], str | None], Occupant] = {}
    for one in pods:
        _keep(found, one._replace(node=one.node or home))
    for one in others:
        nodes = [node for what, gpus, node in found if (what, gpus) == (one.what, one.gpus)]
        for node in nodes or [home]:
            _keep(found, one._replace(node=node))
    whole = sharing is Sharing.EXCLUSIVE
    engines = sorted(found.values(), key=lambda one: (one.what, one.gpus, one.node or ""))
    return tuple(dict.fromkeys(hold for one in engines for hold in _holds(ref, one, whole)))


def _keep(found: dict[tuple[str, tuple[int, ...], str | None], Occupant], one: Occupant) -> None:
    known = found.setdefault((one.what, one.gpus, one.node), one)
    merged = known._replace(bytes=max(known.bytes, one.bytes), starting=known.starting or one.starting)
    found[one.what, one.gpus, one.node] = merged


def _holds(ref: ObjectRef, one: Occupant, whole: bool) -> Iterator[Hold]:
    """Yield an engine's hold, or those of the claims by which it has its cards with others of its pool."""
    holder = f"pool {ref.namespace}/{ref.name}"
    if one.counter == DRA:
        for gpu in one.gpus:
            claim = names.claim_name(ref.name, gpu)
            yield Hold(holder=holder, what=f"claim {claim}", node=one.node, counter=DRA, whole=True, pool=ref)
        return
    yield Hold(
        holder=holder,
        what=one.what,
        node=one.node,
        gpus=one.gpus if one.counter is None else (),
        width=len(one.gpus),
        bytes=one.bytes,
        counter=one.counter,
        whole=whole,
        pool=ref,
        starting=one.starting and one.what != OLLAMA,
    )


def _starts(pod: PodView) -> bool:
    """Return whether a pod's engine is yet to measure its cards, which it has done once its startup probe succeeds."""
    return not pod.deleting and not pod.engine.started and pod_states.state_of(pod).state in _UNDER_WAY


def _startable(deployment: Manifest, there: Collection[str | None]) -> Occupant:
    template = deployment["spec"]["template"]
    inner = (template.get("metadata") or {}).get("annotations") or {}
    said = {**(deployment["metadata"].get("annotations") or {}), **inner}
    what = said.get(names.MODEL_ANNOTATION, OLLAMA)
    status = deployment.get("status") or {}
    denied = any(one.get("type") == "ReplicaFailure" for one in status.get("conditions") or ())
    return Occupant(
        what,
        cards_in(said.get(names.CARD_ANNOTATION, "")),
        count_in(said.get(names.MEMORY_ANNOTATION)) or 0,
        counter_in(template.get("spec") or {}),
        starting=what not in there and not denied and _makes_pods(deployment["spec"]),
    )


def _makes_pods(spec: Manifest) -> bool:
    return spec.get("replicas", 1) > 0 and not spec.get("paused")
