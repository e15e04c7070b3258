"""Which nodes a pool may be on, by what its spec and the nodes say; and what stands against each of the others.

Labels, required affinity and taints are read as the scheduler reads them. What comes and goes with a node's day, a
cordon, a node that does not report, keeps no node from being the pool's: otherwise a plan would change with each of
them. Pure, and tolerant: what no API server would take in a pod fits no node.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from modelpool_operator.api.pool import PoolSpec, Sharing
from modelpool_operator.planning import sharing
from modelpool_operator.planning.objects.free_forms import REQUIRED
from modelpool_operator.planning.sharing.inventory import Inventory, NodeView, Taint

KUBERNETES_TAINTS: Final = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
"""With what the keys of taints begin that Kubernetes sets and takes away by itself."""
CORDON: Final = "node.kubernetes.io/unschedulable"
KEEPS_OFF: Final = frozenset({"NoSchedule", "NoExecute"})
"""Effects of a taint that keep pods off; another one only prefers other nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why a pool's pods cannot be given a node."""

    words: str
    """What the node has or lacks, such that a node's name goes before it."""
    advice: str
    """What to do about it, as a sentence without its stop."""
    outside: bool = False
    """Whether the spec leads elsewhere, so that the node is not meant at all."""
    passing: bool = False
    """Whether it says nothing of whose node it is."""
    presumed: bool = False
    """Whether it stands against the node in some clusters only."""


Row = Callable[[PoolSpec, NodeView], Iterator[Obstacle]]


def obstacles(spec: PoolSpec, node: NodeView) -> tuple[Obstacle, ...]:
    """Return all that stands against a node, what leads elsewhere first."""
    return tuple(found for row in ROWS for found in row(spec, node))


def is_open(spec: PoolSpec, node: NodeView) -> bool:
    """Return whether a node would let the pool's pods in today."""
    return all(one.presumed for one in obstacles(spec, node))


def nodes_of(spec: PoolSpec, inventory: Inventory, held: Collection[str] = ()) -> Inventory:
    """Return what the nodes offer that are the pool's.

    Args:
        spec: what the user wants.
        inventory: everything that was looked at. Devices on nodes that were not count where the spec leads nowhere.
        held: nodes on which pods of the pool stand; a taint that was set later does not take them away.
    """
    fitting = [node for node in inventory.nodes if _is_the_pools(spec, node, node.name in held)]
    resource = _resource(spec)
    fitting = [node for node in fitting if resource in node.resources] or fitting
    there, listed = {node.name for node in fitting}, {node.name for node in inventory.nodes}
    anywhere = not spec.node_selector and not required_terms(spec)
    return Inventory(
        nodes=tuple(fitting),
        devices=tuple(one for one in inventory.devices if one.node in there or (anywhere and one.node not in listed)),
        device_classes=inventory.device_classes,
        runtime_classes=inventory.runtime_classes,
    )


def required_terms(spec: PoolSpec) -> list[Any] | None:
    """Return the terms of the required node affinity, of which a node must match one; None where there is none."""
    to_nodes = (spec.affinity or {}).get("nodeAffinity")
    required = to_nodes.get(REQUIRED) if isinstance(to_nodes, Mapping) else None
    if not isinstance(required, Mapping):
        return None
    terms = required.get("nodeSelectorTerms")
    return terms if isinstance(terms, list) else []


def tolerates(toleration: Mapping[str, Any], taint: Taint) -> bool:
    """Return whether a toleration lets a pod onto a node with this taint."""
    if toleration.get("effect") not in (None, "", taint.effect) or toleration.get("key") not in (None, "", taint.key):
        return False
    value = toleration.get("value") or ""
    match toleration.get("operator") or "Equal":
        case "Exists":
            return True
        case "Equal":
            return bool(toleration.get("key")) and value == taint.value
        case "Gt" | "Lt" as operator:
            return _compares(operator, taint.value, value)
        case _:
            return False


def _is_the_pools(spec: PoolSpec, node: NodeView, held: bool) -> bool:
    return not any(one.outside or not (one.passing or held) for row in ROWS for one in row(spec, node))


def _resource(spec: PoolSpec) -> str | None:
    """Return the extended resource that each engine asks for, once it is known how cards are shared."""
    return None if spec.gpus.sharing is Sharing.AUTO else sharing.mode_of(spec).resource(spec)


def _lacks_labels(spec: PoolSpec, node: NodeView) -> Iterator[Obstacle]:
    missing = [f"{key}={value}" for key, value in sorted(spec.node_selector.items()) if node.labels.get(key) != value]
    if missing:
        words = f"lacks {', '.join(missing)} of `nodeSelector`"
        yield Obstacle(words=words, advice="`kubectl get nodes --show-labels` shows all labels", outside=True)


def _is_outside_the_affinity(spec: PoolSpec, node: NodeView) -> Iterator[Obstacle]:
    terms = required_terms(spec)
    if terms is not None and not any(_matches(term, node) for term in terms):
        yield Obstacle(
            words="matches no term of the required `affinity.nodeAffinity`",
            advice="`kubectl get nodes --show-labels` shows all labels",
            outside=True,
        )


def _has_taints(spec: PoolSpec, node: NodeView) -> Iterator[Obstacle]:
    """One that is named for the resource says nothing of whose node it is: many clusters add the toleration to pods."""
    for taint in node.taints:
        if (
            taint.effect not in KEEPS_OFF
            or taint.key == CORDON
            or any(tolerates(one, taint) for one in spec.tolerations)
        ):
            continue
        own, presumed = taint.key.startswith(KUBERNETES_TAINTS), taint.key == spec.gpus.resource_name
        advice = (
            "`kubectl describe nodes` tells why" if own else "Tolerate it in `tolerations`, if the pool may run there"
        )
        yield Obstacle(words=f"has the taint {taint}", advice=advice, passing=own or presumed, presumed=presumed)


def _is_cordoned(spec: PoolSpec, node: NodeView) -> Iterator[Obstacle]:
    cordon = Taint(key=CORDON, effect="NoSchedule")
    if (node.cordoned or cordon in node.taints) and not any(tolerates(one, cordon) for one in spec.tolerations):
        advice = f"`kubectl uncordon {node.name}` lets pods onto it again"
        yield Obstacle(words="is cordoned", advice=advice, passing=True)


ROWS: Final[tuple[Row, ...]] = (_lacks_labels, _is_outside_the_affinity, _has_taints, _is_cordoned)
"""What may stand against a node; another reason is a row more."""


def _matches(term: Any, node: NodeView) -> bool:
    """Return whether a node matches every expression of a term; one without any matches none."""
    if not isinstance(term, Mapping):
        return False
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not isinstance(expressions, list) or not isinstance(fields, list) or not (expressions or fields):
        return False
    by_name = {"metadata.name": node.name}
    return all(_holds(one, node.labels) for one in expressions) and all(_holds(one, by_name) for one in fields)


def _holds(expression: Any, labels: Mapping[str, str]) -> bool:
    if not isinstance(expression, Mapping):
        return False
    found, values = labels.get(str(expression.get("key"))), expression.get("values")
    wanted = values if isinstance(values, list) else []
    match expression.get("operator"):
        case "In":
            return found is not None and found in wanted
        case "NotIn":
            return found is None or found not in wanted
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
        case "Gt" | "Lt" as operator:
            return found is not None and len(wanted) == 1 and _compares(operator, found, wanted[0])
        case _:
            return False


def _compares(operator: str, found: str, bound: Any) -> bool:
    """Return whether a node's number is above or below what a pod says; what is no number is neither."""
    try:
        difference = int(found) - int(bound)
    except (TypeError, ValueError):
        return False
    return difference > 0 if operator == "Gt" else difference < 0
