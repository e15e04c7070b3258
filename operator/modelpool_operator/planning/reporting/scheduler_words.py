"""The sentences in which the scheduler says why a pod finds no node, and what to do about each. Pure.

They are those of Kubernetes 1.30 to 1.36. Where the nodes themselves tell more, `no_node` speaks first.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from modelpool_operator.api.pool import PoolSpec
from modelpool_operator.planning.placement.node_choice import Needs
from modelpool_operator.planning.sharing.inventory import Inventory


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A pod that finds no node, and what is known of it."""

    spec: PoolSpec
    says: str
    """The scheduler's words."""
    server: str
    """The part of the spec with its resources: `vllm` or `ollama`."""
    claim: str
    """The volume that it mounts."""
    resource: str | None = None
    """The extended resource that it asks for."""
    nodes: Inventory = field(default_factory=Inventory)
    """All that there are; none where nobody looked, or may look."""
    home: str | None = None
    """The node that it has to join, as engines of the pool stand there."""
    needs: Needs = field(default_factory=Needs)
    """Of all engines of the pool that have to stand on one node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A reason that the scheduler gives, and what to do about it."""

    pattern: str
    advice: Callable[[Search], str]
    of_others: bool = False
    """Whether it may be the reason of nodes that are not meant: then it counts where nothing else is said."""


def selector(search: Search) -> str:
    """Say that no node fits."""
    wanted = ", ".join(f"{key}={value}" for key, value in sorted(search.spec.node_selector.items()))
    return (
        f"No node fits `nodeSelector` ({wanted or 'none'}) or `affinity`; `kubectl get nodes --show-labels` shows all"
    )


def _cards(search: Search) -> str:
    return (
        f"Let the device plugin offer one `{search.resource or search.spec.gpus.resource_name}` for each engine that"
        " shares a card; `kubectl describe nodes` shows what it offers and who has it"
    )


def _host(search: Search) -> str:
    return f"Lower `{search.server}.resources.requests`, or free the node"


def _elsewhere(search: Search) -> str:
    return (
        f"PersistentVolumeClaim {search.claim} has its volume on another node or in another zone: let `nodeSelector`"
        " lead there, or use a StorageClass whose volumes every node can mount"
    )


def together(search: Search) -> str:
    """Say that the pool stands elsewhere."""
    return "The pool's other engines are on another node, and all share its card and volume: make room there"


def _unbound(search: Search) -> str:
    return "`kubectl get persistentvolumeclaims` tells which one; check `storageClassName` and `existingClaim`"


ROWS: Final[tuple[Words, ...]] = (
    Words(
        pattern=r"cannot allocate all claims",
        advice=lambda search: "`kubectl get resourceslices` tells which cards the DRA driver offers",
    ),
    Words(
        pattern=r"device class \S+ (does not exist|not found)|deviceclass\S* \S+ not found",
        advice=lambda search: (
            "Install NVIDIA's DRA driver, which brings the DeviceClass gpu.nvidia.com, or choose another"
            " `gpus.sharing`: `kubectl get deviceclasses` shows what there is"
        ),
    ),
    Words(
        pattern=r"unbound immediate PersistentVolumeClaims|persistentvolumeclaim .* (not found|is being deleted)",
        advice=_unbound,
    ),
    Words(
        pattern=r"PersistentVolume's node affinity|volume node affinity conflict|no available volume zone",
        advice=_elsewhere,
    ),
    Words(
        pattern=r"available persistent volumes to bind|enough free storage|bound to non-existent pv",
        advice=lambda search: f"No volume can be had for PersistentVolumeClaim {search.claim}: check its StorageClass",
    ),
    Words(
        pattern=r"exceed max volume count|in-use by another pod|ReadWriteOncePod",
        advice=lambda search: f"PersistentVolumeClaim {search.claim} cannot be mounted once more there: free a volume",
    ),
    Words(pattern=r"Insufficient (\S*gpu|nvidia\.com/)", advice=_cards),
    Words(pattern=r"Insufficient (cpu|memory|ephemeral-storage)", advice=_host),
    Words(
        pattern=r"Too many pods",
        advice=lambda search: "The node runs as many pods as its kubelet allows: end some of them, or raise `maxPods`",
    ),
    Words(
        pattern=r"didn't match pod anti-affinity rules",
        advice=lambda search: "Each replica of a model takes a node of its own: give the pool another node",
    ),
    Words(
        pattern=r"untolerated taint",
        advice=lambda search: "Add the node's taint to `tolerations`, if the pool may run there",
        of_others=True,
    ),
    Words(
        pattern=r"were unschedulable",
        advice=lambda search: "A node is cordoned: `kubectl uncordon` lets pods onto it again",
        of_others=True,
    ),
    Words(pattern=r"didn't match pod affinity", advice=together, of_others=True),
    Words(pattern=r"didn't match Pod's node affinity/selector", advice=selector, of_others=True),
)
"""What the scheduler may say; another reason is a row more."""
