"""On which nodes a pool stands, or may be put; and where it is counted as long as nobody knows. Pure."""

from collections.abc import Collection

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool, PoolSpec
from modelpool_operator.planning.objects.identity import Manifest
from modelpool_operator.planning.observation.holdings import HAMI, Neighbours, counter_of
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement import eligibility
from modelpool_operator.planning.placement.occupants import last_nodes, standing
from modelpool_operator.planning.sharing import mode_if_chosen
from modelpool_operator.planning.sharing.inventory import Inventory, NodeView


def nodes_of(pool: ModelPool, observed: Observed) -> tuple[NodeView, ...]:
    """Return the node on which a pool stands, or shall; or all on which it may be put; none where nobody knows.

    Replicas of a pool that stands may still be put on another one.
    """
    found = standing_on(observed)
    candidates = candidates_of(pool, observed.neighbours, found)
    fitting = () if pool.spec.replicated else tuple(node for node in candidates if node.name in found)
    return fitting or candidates or tuple(observed.neighbours.node(name) for name in sorted(found))


def homes_of(pool: ModelPool, observed: Observed) -> tuple[str, ...]:
    """Return the nodes on which a pool is counted that has no plan: where it stands, was last, or can be alone."""
    stands, known = sorted(standing_on(observed)), observed.neighbours.homes
    nodes = {node.name: node for node in nodes_of(pool, observed)}
    here = [name for name in stands if name in nodes]
    if here and not pool.spec.replicated:
        return tuple(here)
    if found := (*here, *(name for name in known if name in nodes and name not in here)):
        return found
    if known:
        return tuple(stands) or known
    led = [name for name, node in nodes.items() if any(leads_to(one, node) for one in observed.children.values())]
    if len(led) == 1 or not stands:
        return tuple(led) if len(led) == 1 else _last(nodes, observed)
    return tuple(stands)


def leads_to(child: Manifest, node: NodeView) -> bool:
    """Return whether a child is a Deployment that, as it is, leads to a node: another selector is another place."""
    if child["kind"] != "Deployment":
        return False
    selector = (child["spec"]["template"].get("spec") or {}).get("nodeSelector") or {}
    return not node.labels or all(node.labels.get(key) == value for key, value in selector.items())


def _last(nodes: Collection[str], observed: Observed) -> tuple[str, ...]:
    return tuple(nodes) if len(nodes) == 1 else tuple(one for one in last_nodes(observed.children) if one in nodes)


def standing_on(observed: Observed) -> frozenset[str]:
    """Return the nodes on which engines of a pool stand that do not end."""
    found = standing(observed.pods, children=observed.children)
    return frozenset(one.node for one in found if one.node is not None and not one.ending)


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
    if mode_if_chosen(spec.gpus.sharing).shows_cards or counter is None:
        signs = node.gpu_memory is not None or names.NODE_GPU_COUNT_LABEL in node.labels or bool(node.resources)
        return signs or bool(spec.node_selector)
    if counter == HAMI:
        return node.has_hami or bool(node.resources)
    return node.resources.get(counter, 0) > 0
