"""Nodes that are too small for a whole pool. Pure.

Engines of one pool stand on one node, each one's affinity being to the others. The scheduler looks at one pod after the
other: the first one may be given a node that has room for it and not for those that follow, and there they would wait
for ever. So, before a pool has any engine, the nodes that can take one of them and not all are left out, if there is
one that can take all. What was left out then stays so, written on the Deployments: engines that run are not moved.

Counted is what nodes offer, not what is left of it: what others hold comes and goes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from msgspec import structs

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.quantity import count_in, number_of
from modelpool_operator.planning.objects.free_forms import REQUIRED
from modelpool_operator.planning.objects.identity import Manifest
from modelpool_operator.planning.placement import eligibility
from modelpool_operator.planning.sharing.inventory import Inventory, NodeView
from modelpool_operator.planning.sharing.mode import engines_on_cards

UNLIMITED: Final = Decimal("Infinity")
SELECTED_NODE: Final = "volume.kubernetes.io/selected-node"
"""Of a claim, written by the scheduler: the node for which its volume was made."""
BYTES: Final = frozenset({"memory", "ephemeral-storage"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What engines ask a node for, by resource."""

    together: Mapping[str, Decimal] = field(default_factory=dict)
    least: Mapping[str, Decimal] = field(default_factory=dict)
    """Of each resource, what the one asks for that wants least of it."""


def is_made_for(pool: ModelPool) -> bool:
    """Return whether several engines of a pool have to stand on one node."""
    return len(engines_on_cards(pool.spec)) > 1 and not pool.spec.replicated


def has_engines(live: Iterable[Manifest]) -> bool:
    """Return whether a pool has engines on cards, vLLM's or Ollama's: what runs there is not moved."""
    return any(is_on_card(child) for child in live)


def needs_of(deployments: Iterable[Manifest], of_node: Mapping[str, int]) -> Needs:
    """Return what the engines on cards ask for.

    Args:
        deployments: the pool's, among other children.
        of_node: what all of them need beside what their pods ask for, by what tells of it.
    """
    asked = [_asked(one["spec"]["template"]["spec"]) for one in deployments if is_on_card(one)]
    if not asked:
        return Needs()
    keys = {key for one in asked for key in one}
    extra = {key: Decimal(amount) for key, amount in of_node.items()}
    return Needs(
        together={key: sum((one.get(key, Decimal()) for one in asked), Decimal()) for key in sorted(keys)} | extra,
        least={key: min(one.get(key, Decimal()) for one in asked) for key in keys} | dict.fromkeys(extra, Decimal(1)),
    )


def lacks(needs: Needs, node: NodeView, offered: Inventory) -> str:
    """Return what a node has too little of for all engines, in words; empty where it has enough."""
    short = [
        f"{has.normalize():f} of {amount.normalize():f} {key}" if key not in BYTES else f"too little {key}"
        for key, amount in needs.together.items()
        if (has := _offer(key, node, offered)) < amount
    ]
    return " and ".join(short)


def left_out(needs: Needs, offered: Inventory, pool: ModelPool, volumes: Iterable[Manifest]) -> frozenset[str]:
    """Return the host names of nodes that a pool without engines is to keep off.

    Args:
        needs: of all engines.
        offered: by the nodes that the pool may be on.
        pool: whose.
        volumes: claims that its engines on cards mount; a node for which one was made is never left out.
    """
    open_ = [node for node in offered.nodes if eligibility.is_open(pool.spec, node)]
    if not any(not lacks(needs, node, offered) for node in open_):
        return frozenset()
    bound = {(one["metadata"].get("annotations") or {}).get(SELECTED_NODE) for one in volumes}
    small = (node for node in offered.nodes if _takes_one(needs, node, offered) and lacks(needs, node, offered))
    hosts = (node.labels.get(names.HOSTNAME_LABEL) for node in small if node.name not in bound)
    return frozenset(host for host in hosts if host is not None)


def kept_off(live: Iterable[Manifest], offered: Inventory) -> frozenset[str]:
    """Return the host names that the live Deployments keep off; none where nothing else is left.

    Args:
        live: children of the pool.
        offered: by the nodes that the pool may be on; by none where nobody looked.
    """
    said = ((one["metadata"].get("annotations") or {}).get(names.KEPT_OFF_ANNOTATION, "") for one in live)
    kept = frozenset(host for text in said for host in text.split(",") if host)
    hosts = {node.labels.get(names.HOSTNAME_LABEL) for node in offered.nodes}
    return frozenset() if hosts and hosts <= kept else kept


def keeping_off(pool: ModelPool, hosts: frozenset[str]) -> ModelPool:
    """Return the pool as if its required node affinity kept it off these nodes."""
    if not hosts:
        return pool
    here = {"key": names.HOSTNAME_LABEL, "operator": "NotIn", "values": sorted(hosts)}
    terms = eligibility.required_terms(pool.spec)
    asked = [{"matchExpressions": []}] if terms is None else [term for term in terms if term]
    kept = [{**term, "matchExpressions": [*(term.get("matchExpressions") or ()), here]} for term in asked]
    affinity = dict(pool.spec.affinity or {})
    affinity["nodeAffinity"] = {**(affinity.get("nodeAffinity") or {}), REQUIRED: {"nodeSelectorTerms": kept}}
    return structs.replace(pool, spec=structs.replace(pool.spec, affinity=affinity))


def notes_on(hosts: frozenset[str]) -> tuple[str, ...]:
    """Return what a user should know of nodes that are kept off."""
    if not hosts:
        return ()
    return (f"the pool keeps off {', '.join(sorted(hosts))}, with too little for all of its engines on one node",)


def marked(child: Manifest, hosts: frozenset[str], card_memory: int | None) -> Manifest:
    """Return a child with what was found of nodes written on it, where it is an engine's Deployment.

    Args:
        child: of the pool.
        hosts: names of nodes that it keeps off.
        card_memory: bytes of a card, where nodes told of them.
    """
    found = {
        **({names.KEPT_OFF_ANNOTATION: ",".join(sorted(hosts))} if hosts else {}),
        **({} if card_memory is None else {names.CARD_MEMORY_ANNOTATION: str(card_memory)}),
    }
    if not found or not is_on_card(child):
        return child
    metadata = child["metadata"]
    annotations = {**(metadata.get("annotations") or {}), **found}
    return {**child, "metadata": {**metadata, "annotations": annotations}}


def is_on_card(child: Manifest) -> bool:
    """Return whether a child is the Deployment of an engine that has a share of a card."""
    if child["kind"] != "Deployment":
        return False
    template = (child.get("spec") or {}).get("template") or {}
    return names.CARD_LABEL in ((template.get("metadata") or {}).get("labels") or {})


def _takes_one(needs: Needs, node: NodeView, offered: Inventory) -> bool:
    return all(_offer(key, node, offered) >= amount for key, amount in needs.least.items())


def _asked(pod: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return what a pod asks for; a limit without a request is one."""
    total: dict[str, Decimal] = {}
    for container in pod.get("containers") or ():
        resources = container.get("resources") or {}
        for key, text in {**(resources.get("limits") or {}), **(resources.get("requests") or {})}.items():
            total[key] = total.get(key, Decimal()) + amount_of(text)
    return total


def _offer(key: str, node: NodeView, offered: Inventory) -> Decimal:
    """Return how much of something a node offers; of what no node tells of, there may be as much as anybody wants."""
    if key == names.DRA_DRIVER:
        return Decimal(sum(one.node == node.name for one in offered.devices)) if offered.devices else UNLIMITED
    if key == names.NODE_GPU_COUNT_LABEL:
        cards = count_in(node.labels.get(key))
        return UNLIMITED if cards is None else Decimal(cards)
    if key in node.allocatable:
        return amount_of(node.allocatable[key])
    return Decimal() if any(key in one.allocatable for one in offered.nodes) else UNLIMITED


def amount_of(text: Any) -> Decimal:
    """Return a quantity as a number; one that nobody can read, which the API server refuses, is none."""
    return number_of(text) or Decimal()
