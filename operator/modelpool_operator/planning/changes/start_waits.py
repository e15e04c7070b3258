"""Which engines must wait with their start until those of other pools on the same card answer. Pure.

Two engines that measure a card at the same time break each other. Within a pool, and between pools that have one
volume, the card's lock keeps them apart, whatever starts them. Between others only the operator can: it does not begin
a start, or a change that restarts an engine, while another pool's engine is about to measure the card. What restarts
by itself, after a reboot above all, is not held up by this.
"""

from collections.abc import Iterator, Mapping

from modelpool_operator.api.pool import ModelPool, Others
from modelpool_operator.planning.changes.memory_waits import begins
from modelpool_operator.planning.engines.pod_parts import cache_claim
from modelpool_operator.planning.objects.identity import ChildRef, Manifest, model_of
from modelpool_operator.planning.observation.holdings import Hold, counter_of
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement.node_cards import weigh
from modelpool_operator.planning.placement.pool_nodes import nodes_of
from modelpool_operator.planning.sharing.shares import Placement


def behind_others(
    pool: ModelPool,
    placed: Placement,
    wanted: Mapping[ChildRef, Manifest],
    changing: frozenset[ChildRef],
    observed: Observed,
) -> Mapping[ChildRef, str]:
    """Return the Deployments that must not be applied yet, each with a sentence that says behind whom.

    Args:
        pool: how it shares its cards is settled.
        placed: where its engines stand, or shall.
        wanted: all children.
        changing: those that differ from what is there.
        observed: what is there, of the pool and of others.
    """
    nodes = () if pool.spec.gpus.others is Others.IGNORE else nodes_of(pool, observed)
    holds = observed.neighbours.holds.get(nodes[0].name, ()) if len(nodes) == 1 else ()
    mine, counter = f"{pool.ref.namespace}/{cache_claim(pool)}", counter_of(pool.spec)
    starting = [one for one in holds if one.starting and not observed.neighbours.has_lock(one, mine, counter)]
    if not starting:
        return {}
    cards = weigh(nodes[0], starting, pool.spec, len(placed.cards), placed.cards[0].memory).cards
    starts = {
        model: ref
        for ref, child in wanted.items()
        if (model := model_of(child)) is not None and ref in changing and begins(child, ref, observed)
    }
    return {
        starts[share.model]: f"{share.model}: starts once {first.what} of {first.holder} on the same card answers"
        for share in placed.shares
        if not share.of_pool
        and share.model in starts
        and (first := next(_on(share.gpus, [[one.hold for one in card] for card in cards]), None)) is not None
    }


def _on(gpus: tuple[int, ...], cards: list[list[Hold]]) -> Iterator[Hold]:
    return (hold for gpu in gpus for hold in cards[gpu])
