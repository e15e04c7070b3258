"""Where a pool goes beside what others hold of the same cards, who that is, and what the user should know of it. Pure.

A pool that stands is counted on its node. One that does not may be put on any node that fits it: it is planned as long
as one of them has room, and told of those that have not.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from modelpool_operator.api import names
from modelpool_operator.api.models import Engine
from modelpool_operator.api.pool import ModelPool, Others, PoolSpec, Sharing
from modelpool_operator.planning import arithmetic, eligibility, no_room, node_choice, sharing
from modelpool_operator.planning.arithmetic import Term, exact_gib
from modelpool_operator.planning.cards import Card
from modelpool_operator.planning.engines import vllm
from modelpool_operator.planning.holdings import HAMI, Neighbours, counter_of
from modelpool_operator.planning.inventory import Inventory, NodeView
from modelpool_operator.planning.manifests import Manifest
from modelpool_operator.planning.node_cards import NodeCards, Weighed, is_unshared, weigh
from modelpool_operator.planning.observed import Observed
from modelpool_operator.planning.placement import Placement, place
from modelpool_operator.planning.pod_views import PodView
from modelpool_operator.planning.pool_holdings import OLLAMA, Occupant, standing, startable
from modelpool_operator.planning.refusals import Refusal
from modelpool_operator.planning.sequence import model_of

_TOLD: Final = 3
"""Nodes, or pools, of which a sentence tells one by one."""


def place_beside(
    pool: ModelPool, cards: tuple[Card, ...], settled: Mapping[str, tuple[int, ...]], observed: Observed
) -> Placement | Refusal:
    """Return where the pool goes beside others, or who holds what it would need.

    Args:
        pool: how it shares its cards is settled.
        cards: what there is, as if nobody else were there.
        settled: cards on which its models run.
        observed: what is there of the pool, and of others.
    """
    spec, others = pool.spec, observed.neighbours
    nodes = () if spec.gpus.others is Others.IGNORE else nodes_of(pool, observed)
    seen = [weigh(node, others.holds.get(node.name, ()), spec, len(cards), cards[0].memory) for node in nodes]
    alone = place(spec, cards, settled)
    if isinstance(alone, Refusal) or not any(seen):
        return alone
    mine = tuple(_own(observed, alone))
    answers = [_place_on(spec, cards, [one], settled, mine, alone) for one in seen]
    full = [answer for answer in answers if isinstance(answer, Refusal)]
    if len(full) == len(seen) or (full and _standing_on(observed.pods)):
        return _nowhere(full)
    roomy = [one for one, answer in zip(seen, answers, strict=True) if isinstance(answer, Placement)]
    placed = _place_on(spec, cards, roomy, settled, mine, alone)
    if isinstance(placed, Refusal):
        placed = next(answer for answer in answers if isinstance(answer, Placement))
    notes = (*_notes(pool, roomy[0], others), *_warnings(full)) if len(seen) == 1 else tuple(_warnings(full))
    return replace(placed, beside=(*placed.beside, *notes))


def _own(observed: Observed, alone: Placement) -> Iterator[Occupant]:
    """Yield what the pool has already: what its Deployments may start, and what its pods hold without one.

    Where an Ollama on a card does not say how much of it is its own, it is what the plan gives to it.
    """
    found = startable(observed.children)
    there = {one.what for one in found}
    orphans = {(one.what, one.gpus): one for one in standing(observed.pods) if one.what not in there}
    yield from (*found, *orphans.values())
    share = alone.ollama
    if share is not None and OLLAMA not in there and any(map(_is_ollama_on_card, observed.children.values())):
        yield Occupant(OLLAMA, share.gpus, share.bytes + share.overhead, None)


def _is_ollama_on_card(child: Manifest) -> bool:
    return node_choice.is_on_card(child) and model_of(child) is None


def nodes_of(pool: ModelPool, observed: Observed) -> tuple[NodeView, ...]:
    """Return the node on which a pool stands, or shall; or all on which it may be put; none where nobody knows."""
    found = _standing_on(observed.pods)
    candidates = candidates_of(pool, observed.neighbours, frozenset(found))
    fitting = tuple(node for node in candidates if node.name in found)
    return fitting or candidates or tuple(observed.neighbours.node(name) for name in sorted(found))


def home_of(pool: ModelPool, observed: Observed) -> str | None:
    """Return the only node that a pool may be on, or None."""
    nodes = nodes_of(pool, observed)
    return nodes[0].name if len(nodes) == 1 else None


def candidates_of(pool: ModelPool, others: Neighbours, kept: frozenset[str] = frozenset()) -> tuple[NodeView, ...]:
    """Return the nodes that have the labels and the cards that a pool asks for; none where that is not known.

    Args:
        pool: what it says of nodes.
        others: the nodes there are.
        kept: nodes that count although their cards may have gone.
    """
    spec, host = pool.spec, pool.spec.node_selector.get(names.HOSTNAME_LABEL)
    if not others.nodes:
        return () if host is None else (NodeView(name=host),)
    fitting = eligibility.nodes_of(spec, Inventory(nodes=others.nodes), kept).nodes
    return tuple(node for node in fitting if node.name in kept or _has_cards(node, spec))


def _has_cards(node: NodeView, spec: PoolSpec) -> bool:
    """Return whether the scheduler may put engines of a pool there: no cards have to show where it counts none."""
    counter = counter_of(spec)
    if spec.gpus.sharing in (Sharing.VISIBLE_DEVICES, Sharing.DRA) or counter is None:
        signs = node.gpu_memory is not None or names.NODE_GPU_COUNT_LABEL in node.labels or bool(node.resources)
        return signs or bool(spec.node_selector)
    if counter == HAMI:
        return node.has_hami or bool(node.resources)
    return node.resources.get(counter, 0) > 0


def _standing_on(pods: Iterable[PodView]) -> set[str]:
    living = (pod for pod in pods if not pod.deleting)
    return {one.node for one in standing(living) if one.node is not None}


def _place_on(
    spec: PoolSpec,
    cards: tuple[Card, ...],
    seen: Sequence[NodeCards],
    settled: Mapping[str, tuple[int, ...]],
    mine: Sequence[Occupant],
    alone: Placement,
) -> Placement | Refusal:
    """Return where the pool goes on any of these nodes, with what is held of each card at the worst of them.

    Where nothing is, that is where it goes `alone`.
    """
    placed: Placement | Refusal = alone
    if any(held for one in seen for held in one.cards):
        placed = place(spec, tuple(_beside(card, spec, seen, mine) for card in cards), settled)
    if isinstance(placed, Refusal):
        return placed
    over = [found for one in seen if (found := _too_much(spec, placed, one)) is not None]
    if not over:
        return placed
    before = sum(len(one.gpus) * one.bytes for one in mine)
    more = sum(len(share.gpus) * (share.bytes + share.overhead) for share in placed.shares) > before
    return over[0] if more else replace(placed, beside=tuple(one.message for one in over))


def _beside(card: Card, spec: PoolSpec, seen: Sequence[NodeCards], mine: Sequence[Occupant]) -> Card:
    worst = max((one.cards[card.index] for one in seen), key=lambda held: sum(one.bytes for one in held))
    own = sum(one.bytes for one in mine if card.index in one.gpus)
    whole = sharing.mode_of(spec).whole_cards and own > 0
    return replace(
        card,
        held=_terms(worst),
        mine=card.memory if whole else own,
        node=seen[0].node.name if len(seen) == 1 else None,
    )


def _terms(held: Iterable[Weighed]) -> tuple[Term, ...]:
    return tuple(Term(label=one.hold.label, bytes=one.bytes) for one in held if one.bytes > 0)


def _too_much(spec: PoolSpec, placed: Placement, seen: NodeCards) -> Refusal | None:
    """Return why all that is held of a node's cards, and the pool's plan, are more than these; None where they fit.

    Only asked where somebody else chooses among several cards.
    """
    if counter_of(spec) is None or seen.count is None or seen.count == 1:
        return None
    memory = placed.cards[0].memory
    whole = sharing.mode_of(spec).whole_cards or is_unshared(seen.node)
    need = [
        Term(label=share.model, bytes=len(share.gpus) * (memory if whole else share.bytes + share.overhead))
        for share in placed.shares
    ]
    if spec.gpus.sharing is Sharing.DRA:
        used = sum(1 for card in placed.cards if card.shares)
        need = [Term(label=f"for {used} claim{'' if used == 1 else 's'}", bytes=used * memory)]
    held = [Term(label=one.hold.label, bytes=one.bytes * one.hold.width) for one in seen.together]
    have, wanted, taken = seen.count * memory, arithmetic.total(need), arithmetic.total(held)
    if wanted + taken <= have:
        return None
    message = (
        f"the {seen.count} cards of node {seen.node.name} have {exact_gib(have)} together, of which others hold"
        f" {exact_gib(taken)} ({arithmetic.spelled(held)}); the pool takes {exact_gib(wanted)}"
        f" ({arithmetic.spelled(need)})"
    )
    return Refusal(reason=no_room.HELD, message=message, passing=True, need=(*need, *held), have=have)


def _nowhere(full: Sequence[Refusal]) -> Refusal:
    """Return the refusal of a pool for which no node has room."""
    if len(full) == 1:
        return full[0]
    more = f"; and {len(full) - _TOLD} nodes more" if len(full) > _TOLD else ""
    message = f"no node has room: {'; '.join(one.message for one in full[:_TOLD])}{more}"
    return replace(full[0], message=message)


def _warnings(full: Sequence[Refusal]) -> Iterator[str]:
    """Yield what the scheduler does not know: that it may put the pool on a node where it has no room."""
    if full:
        more = f" (and {len(full) - 1} nodes more)" if len(full) > 1 else ""
        advice = "the scheduler does not count that, so name a node with room in `nodeSelector`"
        yield f"a node that the pool may be put on is full: {full[0].message}{more}; {advice}"


def _notes(pool: ModelPool, seen: NodeCards, others: Neighbours) -> Iterator[str]:
    """Yield what is to be known of others on the node of a pool that has room there."""
    for hold in seen.covered:
        yield f"{hold.label} is on node {seen.node.name} too, and nothing says what it takes: `gpus.reserve` is for it"
    if not any(model.engine is Engine.VLLM for model in pool.spec.models):
        return
    volume = f"{pool.ref.namespace}/{vllm.cache_claim(pool)}"
    apart = {
        hold.pool: hold
        for card in seen.cards
        for hold in (one.hold for one in card)
        if hold.pool is not None and not hold.whole and hold.what != OLLAMA and others.locks.get(hold.pool) != volume
    }
    for ref in sorted(apart)[:_TOLD]:
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
