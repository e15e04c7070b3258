"""The pools of one file beside each other, as if they were applied in that order. Pure.

A pool that names its host is counted beside the others of that host. Of other pools only the cluster knows which node
they are put on: they are planned alone, and told what one node would have no room for.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from msgspec import structs

from modelpool_cli.plan.report import decide, settled
from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.engines.pod_parts import cache_claim
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.observation.holdings import Hold, Neighbours
from modelpool_operator.planning.placement.occupants import promised
from modelpool_operator.planning.placement.pool_holdings import holds_of
from modelpool_operator.planning.sharing.shares import Placement

SAME: Final = "same-node"
"""The name of a node that nobody has named."""


def decide_together(pools: Iterable[ModelPool]) -> tuple[tuple[ModelPool, Placement | Refusal], ...]:
    """Return each pool with what the operator would decide of it after those before it."""
    holds: list[Hold] = []
    locks: dict[names.ObjectRef, str] = {}
    found = []
    for pool in pools:
        verdict = _decide(pool, Neighbours.of(holds, locks=locks))
        found.append((pool, verdict))
        locks[pool.ref] = f"{pool.ref.namespace}/{cache_claim(pool)}"
        if isinstance(verdict, Placement):
            one = settled(pool)
            taken = promised(one, verdict)
            holds += holds_of(pool.ref, (), taken, homes=(_host(pool) or SAME,), sharing=one.spec.gpus.sharing)
    return tuple(found)


def _host(pool: ModelPool) -> str | None:
    return pool.spec.node_selector.get(names.HOSTNAME_LABEL)


def _decide(pool: ModelPool, others: Neighbours) -> Placement | Refusal:
    if _host(pool) is not None:
        return decide(pool, others)
    alone = decide(pool)
    there = {**pool.spec.node_selector, names.HOSTNAME_LABEL: SAME}
    beside = decide(structs.replace(pool, spec=structs.replace(pool.spec, node_selector=there)), others)
    if isinstance(alone, Refusal) or not isinstance(beside, Refusal):
        return alone
    note = f"on one node with the pools before it in this file there is no room: {beside.message}"
    return replace(alone, beside=(*alone.beside, note))
