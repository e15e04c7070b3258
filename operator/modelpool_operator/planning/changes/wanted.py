"""All that a pool wants to exist: where its engines go, which nodes they keep off, and every child. Pure."""

import functools
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning import sharing
from modelpool_operator.planning.changes.ollama_volume import Volume
from modelpool_operator.planning.manifests.children import children_of
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.objects.identity import CLAIM, ChildRef, Manifest, ref_of
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement import node_choice
from modelpool_operator.planning.placement.pool_placement import offered_to, place_pool
from modelpool_operator.planning.sharing.inventory import Inventory
from modelpool_operator.planning.sharing.shares import Placement

Children = Mapping[ChildRef, Manifest]


class Wanted(NamedTuple):
    """What shall be."""

    placement: Placement
    children: Children
    """In the order in which they are applied, not yet sealed."""
    kept_off: frozenset[str]
    """The host names of nodes that are too small for the pool, which its engines keep off."""


def wanted_of(pool: ModelPool, volume: Volume, observed: Observed) -> Wanted | Refusal:
    """Return what shall be, or why the pool cannot be.

    Args:
        pool: how it shares its cards is settled.
        volume: what there is to say of its Ollama's.
        observed: what is there.
    """
    offered = offered_to(pool, observed)
    placed = place_pool(pool, observed, offered)
    if isinstance(placed, Refusal):
        return placed
    build = functools.partial(
        children_of,
        ollama_volume_uid=volume.uid,
        not_pulled=volume.too_large.keys() | volume.without_a_job,
        removed=volume.retired,
        recorded=volume.recorded,
        installation=observed.installation,
    )
    children = tuple(build(pool, placed, whole_card=offered.whole_card))
    kept_off = _kept_off(pool, placed, children, offered, observed)
    if kept_off:
        keeping = node_choice.keeping_off(pool, kept_off)
        offered = offered_to(keeping, observed)
        placed = place_pool(keeping, observed, offered)
        if isinstance(placed, Refusal):
            return placed
        # Only engines on cards keep off nodes: Ollama's volume may lie on one of these.
        apart = build(keeping, placed, whole_card=offered.whole_card)
        on_cards = {ref_of(child): child for child in apart if node_choice.is_on_card(child)}
        all_of_it = build(pool, placed, whole_card=offered.whole_card)
        children = tuple(on_cards.get(ref_of(child), child) for child in all_of_it)
    memory = placed.cards[0].memory if pool.spec.gpus.memory is None and placed.cards else None
    marked = (node_choice.marked(child, kept_off, memory) for child in children)
    return Wanted(placed, {ref_of(child): child for child in marked}, kept_off)


def _kept_off(
    pool: ModelPool, placed: Placement, children: Iterable[Manifest], offered: Inventory, observed: Observed
) -> frozenset[str]:
    """Return the host names of nodes that are too small for all engines, found before there is any, and kept since."""
    if pool.spec.replicated:
        return frozenset()
    live = observed.children.values()
    if node_choice.has_engines(live):
        return node_choice.kept_off(live, offered if observed.every_node else Inventory())
    if not observed.every_node or not node_choice.is_made_for(pool):
        return frozenset()
    used = frozenset(gpu for share in placed.shares for gpu in share.gpus)
    needs = node_choice.needs_of(children, sharing.mode_of(pool.spec).of_node(used))
    claims = [names.cache_name(pool.ref.name), *([names.ollama_name(pool.ref.name)] if placed.ollama else [])]
    volumes_there = [found for name in claims if (found := observed.child(CLAIM, name)) is not None]
    return node_choice.left_out(needs, offered, pool, volumes_there)
