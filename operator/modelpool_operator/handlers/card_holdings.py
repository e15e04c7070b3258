"""What every pool holds of the cards of which node, so that no pool is planned onto what another one has.

What a pool's pods and Deployments hold counts, and so does what its last plan gave to it. A plan is noted before
anything else happens, so that no two plans are made without knowing of each other. Among pools that hold nothing and
were refused because of others, the oldest comes first: what it would be given is not given to a younger one. Kept in
memory; it knows no cluster, but is told by `reconcile`, and once at the start of all that is there.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import ModelPool, Sharing
from modelpool_operator.cluster.surroundings import Surroundings
from modelpool_operator.planning.changes.memory_waits import begins
from modelpool_operator.planning.changes.plan import Plan
from modelpool_operator.planning.engines.pod_parts import cache_claim
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.objects.identity import model_of, ref_of
from modelpool_operator.planning.observation.holdings import Hold, Neighbours, counter_of
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement import no_room
from modelpool_operator.planning.placement.node_cards import card_count
from modelpool_operator.planning.placement.occupants import last_nodes, promised, standing, startable
from modelpool_operator.planning.placement.pool_holdings import holds_of
from modelpool_operator.planning.placement.pool_nodes import homes_of, nodes_of, standing_on
from modelpool_operator.planning.placement.pool_placement import place_pool
from modelpool_operator.planning.sharing.inventory import Inventory, NodeView
from modelpool_operator.planning.sharing.shares import Placement

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One pool."""

    age: tuple[datetime, str]
    live: tuple[Hold, ...] = ()
    """What its pods and Deployments hold."""
    holds: tuple[Hold, ...] = ()
    """The same, with what its plan gives to it."""
    locks: str = ""
    """The claim with its card locks."""
    counter: str | None = None
    sharing: Sharing = Sharing.VISIBLE_DEVICES
    nodes: frozenset[str] = frozenset()
    """Where it is, or may be put."""
    homes: tuple[str, ...] = ()
    """Where it is counted: where it stands or stood last, and where its plan counts on."""
    stood: bool = False
    """Whether engines of it were seen on a node."""
    waits: tuple[ModelPool, Observed] | None = None
    """A pool, its way of sharing settled, that was refused because of what others hold."""


class CardHoldings:
    """All pools that this operator knows of, and those who are no pool's."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._entries: dict[ObjectRef, _Entry] = {}

    def __len__(self) -> int:
        """Pools that hold something, or would."""
        return len(self._entries)

    @property
    def nodes(self) -> tuple[NodeView, ...] | None:
        """All nodes, by name; None where they are not watched."""
        return self._surroundings.known_nodes

    def expect(self, pool: ModelPool, observed: Observed) -> None:
        """Take note of a pool before the first pass over any: one that holds nothing counts as if it waited."""
        entry = self._entry(pool, observed, None)
        open_sharing = pool.spec.gpus.sharing is Sharing.AUTO
        self._entries[pool.ref] = replace(entry, waits=None if entry.live or open_sharing else (pool, observed))

    def beside(self, pool: ModelPool) -> Neighbours:
        """Return what others hold, as a plan for this pool has to count it."""
        others = {ref: entry for ref, entry in self._entries.items() if ref != pool.ref}
        holds = [hold for entry in others.values() for hold in entry.holds]
        mine = self._entries.get(pool.ref)
        older = [one for one in others.values() if one.waits and one.age < _age(pool) and len(one.nodes) == 1]
        for one in sorted(older, key=lambda one: one.age):
            holds += self._wish(one, (*holds, *(mine.live if mine else ())))
        locks = {ref: entry.locks for ref, entry in others.items()}
        if mine is None:
            return self._neighbours(holds, locks=locks)
        waiting = (one.nodes for one in others.values() if one.waits and not mine.stood)
        return self._neighbours(holds, locks=locks, homes=mine.homes, wanted=frozenset[str]().union(*waiting))

    def put(
        self, pool: ModelPool, observed: Observed, plan: Plan, carried_out: Plan | None = None
    ) -> frozenset[ObjectRef]:
        """Take note of a plan, and return the other pools to whom it makes a difference.

        Args:
            pool: whose.
            observed: what is there of it.
            plan: what it shall have.
            carried_out: what is done of the plan in this pass: an engine that is not applied does not start. None: all.
        """
        settled = plan.settled or pool
        placement = plan.placement if isinstance(plan.placement, Placement) else None
        entry = self._entry(
            settled, observed, placement, _started(plan if carried_out is None else carried_out, observed)
        )
        refused = plan.refusal is not None and plan.refusal.reason == no_room.HELD
        waits = (settled, observed) if refused and settled.spec.gpus.sharing is not Sharing.AUTO else None
        return self._replace(pool.ref, replace(entry, waits=waits))

    def leave(self, ref: ObjectRef, observed: Observed) -> frozenset[ObjectRef]:
        """Forget what a pool wants that is gone, or cannot be read; what is left of it holds on until it ends."""
        known = self._entries.get(ref) or _Entry(age=(_NEVER, ""))
        homes = tuple(sorted(standing_on(observed))) or known.homes or last_nodes(observed.children)
        pods = standing(observed.pods, children=observed.children)
        there = startable(observed.children, observed.pods)
        left = holds_of(ref, pods, there, homes=homes, sharing=known.sharing, nodes=known.nodes)
        if not left and ref not in self._entries:
            return frozenset()
        entry = replace(known, live=left, holds=left, homes=homes, waits=None)
        return self._replace(ref, entry if left else None)

    def around(self, node: str) -> frozenset[ObjectRef]:
        """Return the pools to whom it makes a difference what happens on a node."""
        return frozenset(
            ref
            for ref, entry in self._entries.items()
            if node in entry.homes or (node in entry.nodes and entry.waits is not None)
        )

    def _wish(self, entry: _Entry, holds: Iterable[Hold]) -> tuple[Hold, ...]:
        """Return what a pool that waits would be given, on the one node where it may be."""
        if entry.waits is None:
            return ()
        pool, observed = entry.waits
        others = self._neighbours(one for one in holds if one.pool != pool.ref)
        offered = observed.inventory if observed.inventory.nodes else Inventory(nodes=others.nodes)
        placed = place_pool(pool, replace(observed, neighbours=others, inventory=offered))
        if isinstance(placed, Refusal) or not placed.nodes:
            return ()
        wanted = holds_of(pool.ref, (), promised(pool, placed), homes=placed.nodes, sharing=pool.spec.gpus.sharing)
        return tuple(replace(one, holder=f"{one.holder}, older and waiting") for one in wanted)

    def _neighbours(self, holds: Iterable[Hold], **more: Any) -> Neighbours:
        around = self._surroundings
        return Neighbours.of((*holds, *around.strangers), around.nodes, unseen=around.unseen, **more)

    def _entry(
        self,
        pool: ModelPool,
        observed: Observed,
        placement: Placement | None,
        starting: frozenset[str] = frozenset(),
    ) -> _Entry:
        """Return a pool, its way of sharing settled, as it is and as it is planned."""
        known = self._entries.get(pool.ref)
        seen = replace(observed, neighbours=self._neighbours((), homes=known.homes if known else ()))
        pods, stands = standing(observed.pods, observed.said, observed.children), bool(standing_on(observed))
        there = startable(observed.children, observed.pods)
        planned = promised(pool, placement, starting) if placement is not None else ()
        homes = placement.nodes if placement is not None and placement.nodes else homes_of(pool, seen)
        nodes = frozenset(node.name for node in nodes_of(pool, seen))
        build = functools.partial(
            holds_of,
            pool.ref,
            pods,
            homes=homes,
            sharing=pool.spec.gpus.sharing,
            nodes=nodes if pool.spec.replicated or not nodes.issubset(homes) else (),
        )
        return _Entry(
            age=_age(pool),
            live=build(there),
            holds=build((*there, *planned)),
            locks=f"{pool.ref.namespace}/{cache_claim(pool)}",
            counter=counter_of(pool.spec),
            sharing=pool.spec.gpus.sharing,
            nodes=nodes,
            homes=homes,
            stood=stands or (known is not None and known.stood),
        )

    def _replace(self, ref: ObjectRef, entry: _Entry | None) -> frozenset[ObjectRef]:
        before = self._entries.pop(ref, None)
        if entry is not None:
            self._entries[ref] = entry
        changed = set(before.holds if before else ()) ^ set(entry.holds if entry else ())
        nodes = {hold.node for hold in changed if hold.node is not None}
        begins = entry is not None and entry.waits is not None and not (before and before.waits)
        wanted = entry.nodes if entry is not None and begins else frozenset[str]()
        waited = (before.nodes if before and before.waits else frozenset[str]()) if not (entry and entry.waits) else ()
        return frozenset(
            other
            for other, one in self._entries.items()
            if other != ref
            and (
                (one.waits is not None and not one.nodes.isdisjoint(nodes.union(waited)))
                or any(self._meet(one, hold) for hold in changed)
                or (_may_make_way(one) and not wanted.isdisjoint(one.homes))
            )
        )

    def _meet(self, entry: _Entry, hold: Hold) -> bool:
        """Return whether what somebody holds is shown to a pool that stands: on its node, and on a card of its own."""
        if hold.node not in entry.homes:
            return False
        apart = entry.counter is not None and entry.counter == hold.counter
        return not apart or self._count(hold) in (1, None)

    def _count(self, hold: Hold) -> int | None:
        node = next((one for one in self._surroundings.nodes if one.name == hold.node), None)
        return card_count(node, hold.counter or "") if node is not None else None


def _may_make_way(entry: _Entry) -> bool:
    """Return whether a pool that is planned may be counted on another of its nodes, as it never stood on one."""
    return bool(entry.holds) and not entry.stood and len(entry.nodes) > len(entry.homes)


def _started(plan: Plan, observed: Observed) -> frozenset[str]:
    """Return the models whose engines a plan starts."""
    return frozenset(
        model
        for child in plan.apply
        if (model := model_of(child)) is not None and begins(child, ref_of(child), observed)
    )


def _age(pool: ModelPool) -> tuple[datetime, str]:
    return pool.created or _NEVER, pool.uid
