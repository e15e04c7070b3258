"""Where a pool's engines go, by what its nodes offer, what it has already, and what others hold. Pure.

The steps before `layout`, which knows one pool and its cards alone.
"""

from collections.abc import Mapping
from dataclasses import replace

from msgspec import structs

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool, PoolSpec, Sharing
from modelpool_operator.api.status import SharingStatus
from modelpool_operator.planning import sharing
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.objects.identity import CLAIM
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_views import cards_in
from modelpool_operator.planning.placement import access_modes, eligibility, neighbours, spec_checks
from modelpool_operator.planning.placement.layout import OLLAMA_CARDS
from modelpool_operator.planning.sharing import auto
from modelpool_operator.planning.sharing.cards import cards_of, objection_to_amounts
from modelpool_operator.planning.sharing.inventory import Inventory
from modelpool_operator.planning.sharing.shares import Placement


def choose_sharing(pool: ModelPool, observed: Observed) -> SharingStatus | Refusal | None:
    """Return the way of sharing of a pool that leaves it open: the one it runs with, else one that its nodes offer.

    None of a pool that says how it shares its cards.
    """
    if pool.spec.gpus.sharing is not Sharing.AUTO:
        return None
    before = auto.kept(pool.spec, observed.chosen, runs=any(ref.kind == "Deployment" for ref in observed.children))
    if before is not None:
        return before
    return sharing.chosen_for(pool.spec, offered_to(pool, observed))


def with_sharing(pool: ModelPool, chosen: SharingStatus | None) -> ModelPool:
    """Return the pool as if it said what was chosen for it."""
    return pool if chosen is None else structs.replace(pool, spec=auto.settled(pool.spec, chosen))


def as_kept(refusal: Refusal, pool: ModelPool, chosen: SharingStatus | None) -> Refusal:
    """Return a refusal that says whose choice a way of sharing was, where the pool named none and that is what objects.

    Args:
        refusal: of the pool.
        pool: how it shares its cards is settled.
        chosen: for a pool that leaves it open.
    """
    if chosen is None or refusal != sharing.mode_of(pool.spec).objection(pool.spec):
        return refusal
    message = (
        f"`gpus.sharing` is 'auto', and the pool keeps '{chosen.mode}', with which it runs: {refusal.message}; or"
        " delete its Deployments, and what its nodes offer is chosen anew"
    )
    return replace(refusal, message=message)


def place_pool(pool: ModelPool, observed: Observed, offered: Inventory | None = None) -> Placement | Refusal:
    """Return where the pool's engines go, keeping those that run where they are, or why the pool cannot be.

    The pool says how it shares its cards; where it leaves that open, `with_sharing` comes first.

    Args:
        pool: what is wanted.
        observed: what is there.
        offered: what the pool's nodes offer, of whoever has asked already.
    """
    cache = observed.child(CLAIM, names.cache_name(pool.ref.name))
    if (objection := spec_checks.objection_to(pool) or access_modes.objection_to(pool, cache)) is not None:
        return objection
    found = card_sizes(pool.spec, offered_to(pool, observed) if offered is None else offered)
    sizes = _sizes_kept(found, observed)
    if (objection := objection_to_amounts(pool.spec, {**sizes, **_of_standing(found, observed)})) is not None:
        return objection
    cards = cards_of(pool.spec, min((least for least, *_ in sizes.values()), default=None))
    if isinstance(cards, Refusal):
        return cards
    return neighbours.place_beside(pool, cards, settled_cards(observed), observed)


def offered_to(pool: ModelPool, observed: Observed) -> Inventory:
    """Return what the pool's nodes offer."""
    held = {pod.node for pod in observed.pods if pod.node is not None and pod.held > 0}
    return eligibility.nodes_of(pool.spec, observed.inventory, held)


def card_sizes(spec: PoolSpec, offered: Inventory) -> Mapping[str, tuple[int, ...]]:
    """Return the bytes of the cards of each node, or of their slices where the pool asks for these, the least first."""
    by_devices = sharing.mode_of(spec).by_devices
    return offered.memories(by_devices=by_devices, resource=sharing.mode_of(spec).resource(spec))


def _sizes_kept(sizes: Mapping[str, tuple[int, ...]], observed: Observed) -> Mapping[str, tuple[int, ...]]:
    """Return the cards of the nodes that a pool's engines stand on, or were planned for; without engines, of all.

    Another node that joins starts no engine anew. What was planned for counts before where they stand, as long as it is
    no more: between two pods of an engine there is none, and the plan must not change with that.
    """
    said = ((live["metadata"].get("annotations") or {}) for live in observed.children.values())
    planned = {one.get(names.CARD_MEMORY_ANNOTATION) for one in said} - {None}
    there = _of_standing(sizes, observed)
    bound = min((least for least, *_ in there.values()), default=None)
    kept = {name: found for name, found in sizes.items() if str(found[0]) in planned}
    kept = {name: found for name, found in kept.items() if bound is None or found[0] <= bound}
    return kept or there or sizes


def _of_standing(sizes: Mapping[str, tuple[int, ...]], observed: Observed) -> Mapping[str, tuple[int, ...]]:
    standing = {pod.node for pod in observed.pods if pod.held > 0}
    return {name: found for name, found in sizes.items() if name in standing}


def settled_cards(observed: Observed) -> Mapping[str, tuple[int, ...]]:
    """Return the cards that the live Deployments stand on, by vLLM model, and Ollama's as `place` takes it."""
    settled: dict[str, tuple[int, ...]] = {}
    for live in observed.children.values():
        annotations = live["metadata"].get("annotations") or {}
        cards = cards_in(annotations.get(names.CARD_ANNOTATION, ""))
        if live["kind"] == "Deployment" and cards:
            settled[annotations.get(names.MODEL_ANNOTATION, OLLAMA_CARDS)] = cards
    return settled
