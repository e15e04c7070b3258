"""What a pool holds of cards: what its pods have, what its Deployments may start, and what its plan promises.

An engine that is to change holds the larger of what it has and what it shall have, as the old one goes first. One that
is scaled to zero, or whose pod is not there, keeps what it had. What a pod has it holds until it is gone. An engine
without a node is counted where the pool is at home, and may come to be on another of its nodes.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from modelpool_operator.api import names
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import Sharing
from modelpool_operator.planning.observation.holdings import DRA, Hold
from modelpool_operator.planning.placement.occupants import OLLAMA, Occupant
from modelpool_operator.planning.sharing import mode_if_chosen

_Key = tuple[str, tuple[int, ...], str | None]
"""An engine, its cards, its node."""


def holds_of(
    ref: ObjectRef,
    pods: Iterable[Occupant],
    others: Iterable[Occupant],
    *,
    homes: Sequence[str],
    sharing: Sharing,
    nodes: Iterable[str] = (),
) -> tuple[Hold, ...]:
    """Return what a pool holds.

    Args:
        ref: the pool.
        pods: engines that stand.
        others: engines that may start, or shall; those that stand on one of `homes` too, stand there.
        homes: the nodes of those that have none yet, as far as that is known, in the order in which they are taken.
        sharing: how the pool shares its cards.
        nodes: on which the pool may be put; none where what has no node follows those that stand.
    """
    pods, whole, lying = tuple(pods), mode_if_chosen(sharing).whole_cards, set[_Key]()
    found = _counted(one for one in pods if one.node is not None)
    elsewhere = frozenset(nodes).difference(homes)
    for one in (*(one for one in pods if one.node is None), *others):
        there = [key for key in found if key[:2] == (one.what, one.gpus) and (key[2] in homes or not homes)]
        for key in there:
            found[key] = _larger(found[key], one)
        left = one.copies - sum(found[key].copies for key in there)
        taken = {key[2] for key in there}
        for node in [home for home in homes if home not in taken][: max(0, left)]:
            found[one.what, one.gpus, node] = one._replace(node=node, copies=1)
            lying.add((one.what, one.gpus, node))
            left -= 1
        if left > 0 and whole and homes:
            first = (one.what, one.gpus, homes[0])
            found[first] = found[first]._replace(copies=found[first].copies + left)
        elif left > 0 and (elsewhere or not homes):
            found[one.what, one.gpus, None] = one._replace(copies=1)
            lying.add((one.what, one.gpus, None))
    engines = sorted(found.items(), key=lambda item: (item[0][0], item[0][1], item[0][2] or ""))
    holds = (
        replace(hold, may_be_on=elsewhere) if key in lying else hold
        for key, one in engines
        for hold in _holds(ref, one, whole)
    )
    return tuple(dict.fromkeys(holds))


def _counted(pods: Iterable[Occupant]) -> dict[_Key, Occupant]:
    """Return engines that stand, each with how many there are of it on its node: of one that is made anew, one goes."""
    found: dict[_Key, list[Occupant]] = {}
    for one in pods:
        found.setdefault((one.what, one.gpus, one.node), []).append(one)
    counted = {}
    for key, alike in found.items():
        ending = sum(one.ending for one in alike)
        merged = functools.reduce(_larger, alike)
        counted[key] = merged._replace(copies=max(ending, len(alike) - ending))
    return counted


def _larger(known: Occupant, one: Occupant) -> Occupant:
    """Return an engine that may take what either does, as the old one goes first."""
    return known._replace(
        bytes=max(known.bytes, one.bytes),
        starting=known.starting or one.starting,
        fraction=max(filter(None, (known.fraction, one.fraction)), default=None),
        percent=max(filter(None, (known.percent, one.percent)), default=None),
    )


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
        copies=one.copies,
        bytes=one.bytes,
        fraction=one.fraction,
        percent=one.percent,
        counter=one.counter,
        whole=whole,
        pool=ref,
        starting=one.starting and one.what != OLLAMA,
    )
