"""What keeps an engine off every node, and what to do about it: by the nodes, where they could be looked at, and by the
scheduler's words for the rest.

The scheduler names for each node the first thing that it stumbles over, taints before labels and both before room: a
node that was never meant is counted in its sentence like the one that matters. So nodes are sorted first into those
that the spec means and the others, and only the former are spoken of. Pure.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from modelpool_operator.planning.placement import eligibility, node_choice
from modelpool_operator.planning.placement.eligibility import Obstacle
from modelpool_operator.planning.reporting import scheduler_words
from modelpool_operator.planning.reporting.scheduler_words import Search
from modelpool_operator.planning.sharing.inventory import NodeView

SHOWN: Final = 3
"""Nodes that are spoken of by name."""


def advice_on(search: Search) -> str:
    """Return what holds the pod, and what to do about it."""
    meant = _meant(search)
    if search.nodes.nodes and not meant:
        return _nowhere(search)
    if search.home is not None:
        meant = [node for node in meant if node.name == search.home] or meant
        if (too_small := _home_is_too_small(search)) is not None:
            return too_small
    held = {node.name: found for node in meant if (found := _obstacles(search, node))}
    if meant and len(held) == len(meant):
        return _spelled(held)
    return _by_words(search, nodes_are_known=bool(meant))


def is_out_of_cards(search: Search) -> bool:
    """Return whether cards are what is missing, and nothing else stands against every node that has some."""
    meant = _meant(search)
    return not meant or any(
        not _obstacles(search, node) or next(_offers_none(search, node), None) is not None for node in meant
    )


def _meant(search: Search) -> list[NodeView]:
    """Return the nodes that the spec leads to; where some of them have cards, these."""
    led = [
        node for node in search.nodes.nodes if not any(one.outside for one in eligibility.obstacles(search.spec, node))
    ]
    return [node for node in led if next(_offers_none(search, node), None) is None] or led


def _obstacles(search: Search, node: NodeView) -> tuple[Obstacle, ...]:
    """Return what stands against a node that is meant; taints and cordons only where the scheduler speaks of them."""
    speaks = re.search(r"untolerated taint|were unschedulable", search.says)
    found = eligibility.obstacles(search.spec, node) if speaks else ()
    held = (one for one in found if not one.presumed or _presumed_hold(search))
    return (*held, *_offers_none(search, node))


def _presumed_hold(search: Search) -> bool:
    """Return whether the scheduler counts more nodes with taints than have others than those that are presumed."""
    said = sum(int(count) for count in re.findall(r"(\d+) node\(s\) had untolerated taint", search.says))
    certain = sum(
        any("taint" in one.words and not one.presumed for one in eligibility.obstacles(search.spec, node))
        for node in search.nodes.nodes
    )
    return said > certain


def _offers_none(search: Search, node: NodeView) -> Iterator[Obstacle]:
    if search.resource is None or node.resources.get(search.resource, 0) > 0:
        return
    others = [name for name, amount in sorted(node.resources.items()) if amount and _is_alike(name, search.resource)]
    advice = (
        f"Name what the node offers in `gpus.resourceName` ({', '.join(others)})"
        if others
        else f"Let the device plugin offer {search.resource} there; `kubectl describe nodes` shows what it offers"
    )
    yield Obstacle(words=f"offers no {search.resource}", advice=advice)


def _is_alike(name: str, resource: str) -> bool:
    return name.partition("/")[0] == resource.partition("/")[0]


def _home_is_too_small(search: Search) -> str | None:
    """Return what to do about engines that stand where there is no room for all of them."""
    home = next((node for node in search.nodes.nodes if node.name == search.home), None)
    lacks = node_choice.lacks(search.needs, home, search.nodes) if home is not None else ""
    if home is None or not lacks:
        return None
    said = (
        f"The pool's engines stand on node {home.name} and share its cards, but it has only {lacks} that all of them"
        " ask for"
    )
    enough = [
        node.name
        for node in eligibility.nodes_of(search.spec, search.nodes).nodes
        if node is not home and not _obstacles(search, node) and not node_choice.lacks(search.needs, node, search.nodes)
    ]
    if not enough:
        return f"{said}, and no other node of the pool has more: lower what they ask for, or make two pools"
    return f"{said}: let `nodeSelector` lead to {_listed(enough)}, where there is enough; all engines then move"


def _nowhere(search: Search) -> str:
    """Return which part of the spec no node fits."""
    selector, nodes = search.spec.node_selector, search.nodes.nodes
    missing = [f"{key}={value}" for key, value in selector.items() if all(n.labels.get(key) != value for n in nodes)]
    shows = "`kubectl get nodes --show-labels` shows all labels"
    if missing:
        return f"No node has {', '.join(sorted(missing))} of `nodeSelector`; {shows}"
    if any(selector.items() <= dict(node.labels).items() for node in nodes):
        return f"No node that `nodeSelector` leads to matches a term of the required `affinity.nodeAffinity`; {shows}"
    return f"No node has all labels of `nodeSelector`; {shows}"


def _spelled(held: Mapping[str, tuple[Obstacle, ...]]) -> str:
    """Return what each node has or lacks; of nodes with the same, the first with how many there are."""
    alike: dict[str, list[str]] = {}
    advice: dict[str, None] = {}
    for node, obstacles in held.items():
        alike.setdefault(" and ".join(one.words for one in obstacles), []).append(node)
    for words in list(alike)[:SHOWN]:
        advice.update(dict.fromkeys(one.advice for one in held[alike[words][0]]))
    said = [
        f"node {nodes[0]} {f'(and {len(nodes) - 1} more) ' if len(nodes) > 1 else ''}{words}"
        for words, nodes in list(alike.items())[:SHOWN]
    ]
    sentence = "; ".join(said)
    return f"{sentence[:1].upper()}{sentence[1:]}. {'. '.join(advice)}"


def _by_words(search: Search, *, nodes_are_known: bool) -> str:
    """Return what to do by the scheduler's words, of nodes that are not meant only where nothing else is said."""
    told = [row for row in scheduler_words.ROWS if re.search(row.pattern, search.says)]
    certain = [row for row in told if not row.of_others]
    guessed = [] if nodes_are_known and certain else [row for row in told if row.of_others]
    if certain:
        guessed = [row for row in guessed if row.advice not in (scheduler_words.selector, scheduler_words.together)]
    chosen = dict.fromkeys(row.advice(search) for row in (*certain, *guessed))
    return ". ".join(chosen) or "`kubectl describe nodes` tells what each node offers"


def _listed(nodes: list[str]) -> str:
    more = len(nodes) - SHOWN
    return f"{', '.join(nodes[:SHOWN])}{f' or {more} more' if more > 0 else ''}"
