"""What a pool should know of others on the nodes that it may be on, as sentences. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool, PoolSpec
from modelpool_operator.planning.engines.pod_parts import cache_claim
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.observation.holdings import Hold, Neighbours, counter_of
from modelpool_operator.planning.placement.node_cards import NodeCards, is_shared
from modelpool_operator.planning.placement.occupants import OLLAMA
from modelpool_operator.planning.sharing import mode_if_chosen

TOLD: Final = 3
"""Nodes, or pools, of which a sentence tells one by one."""


def on_full_nodes(full: Sequence[Refusal]) -> Iterator[str]:
    """Yield what the scheduler does not know: that it may put the pool on a node where it has no room."""
    if full:
        more = f" (and {len(full) - 1} nodes more)" if len(full) > 1 else ""
        advice = "the scheduler does not count that, so name a node with room in `nodeSelector`"
        yield f"a node that the pool may be put on is full: {full[0].message}{more}; {advice}"


def on_other_cards(nodes: Sequence[str]) -> Iterator[str]:
    """Yield on which nodes that the pool may be put on the cards of its plan are not the ones with room."""
    if nodes:
        told = ", ".join(nodes[:TOLD])
        yield (
            f"the plan's cards have room on one node and not on {told}{', …' if len(nodes) > TOLD else ''}, where the"
            " pool may be put, too: name one node in `nodeSelector`"
        )


def on_who_may_come(nodes: Iterable[tuple[str, Sequence[Hold]]]) -> Iterator[str]:
    """Yield which pools, not on a node yet, may meet this one where there is no room for all."""
    for node, coming in list(nodes)[:TOLD]:
        pools = sorted({hold.holder for hold in coming})
        told = f"{', '.join(pools[:TOLD])}{', …' if len(pools) > TOLD else ''}"
        yield f"it may meet {told} on node {node}, where there is no room for all: name one node in `nodeSelector`"


def on_unsaid_cards(spec: PoolSpec, seen: NodeCards) -> str | None:
    """Return why another pool is counted on the very card of a pool that is refused, where its node has several.

    A replica of a card looks like a card there: nobody but the device plugin knows how many there are.
    """
    mine, resource = counter_of(spec), spec.gpus.resource_name
    beside = any(one.hold.pool is not None and one.hold.counter == mine for one in seen.together)
    if not mode_if_chosen(spec.gpus.sharing).is_replicated or seen.count is not None or not beside:
        return None
    offered = seen.node.resources.get(resource, 0)
    if offered < 2 or is_shared(seen.node, resource):
        return None
    return (
        f"node {seen.node.name} offers {offered} of {resource} and does not say whether these are cards or replicas of"
        f" one, as which they count: have NVIDIA's feature discovery set the labels {names.NODE_GPU_COUNT_LABEL} and"
        f" {names.NODE_GPU_SHARING_LABEL}, or set `gpus.others: Ignore`"
    )


def on_neighbours(pool: ModelPool, seen: NodeCards, others: Neighbours) -> Iterator[str]:
    """Yield what is to be known of others on the node of a pool that has room there."""
    for hold in seen.covered:
        yield f"{hold.label} is on node {seen.node.name} too, and nothing says what it takes: `gpus.reserve` is for it"
    for hold in (one.hold for one in seen.together if mode_if_chosen(pool.spec.gpus.sharing).is_replicated):
        unsaid = seen.count is None and hold.pool is None and hold.counter == counter_of(pool.spec)
        if unsaid and not is_shared(seen.node, pool.spec.gpus.resource_name):
            yield (
                f"{hold.label} is on node {seen.node.name} too, which does not say how many cards it has, nor whether"
                f" they are shared (labels {names.NODE_GPU_COUNT_LABEL}, {names.NODE_GPU_SHARING_LABEL})"
            )
    if not PROFILES.with_own(pool.spec):
        return
    mine = counter_of(pool.spec)
    volume = f"{pool.ref.namespace}/{cache_claim(pool)}"
    apart = {
        hold.pool: hold
        for card in seen.cards
        for hold in (one.hold for one in card)
        if hold.pool is not None and not hold.whole and hold.what != OLLAMA and not others.has_lock(hold, volume, mine)
    }
    for ref in sorted(apart)[:TOLD]:
        how = (
            "give both pools one `cache.existingClaim`, where the card's lock lies"
            if ref.namespace == pool.ref.namespace
            else "pools of two namespaces cannot share the volume of the card's lock, so set `kvCacheMemory`, with"
            " which an engine does not measure the card when it starts"
        )
        yield (
            f"engines of pool {ref.namespace}/{ref.name} share a card of node {seen.node.name} with this pool's, and"
            f" start in an order of their own: {how}"
        )
