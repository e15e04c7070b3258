"""What somebody holds of the cards of a node: a pool's engine, or a pod or claim that is nobody's. Data, and reducers.

Who counts a card decides what is known of it. A card that a pod is shown by its index is known, and no scheduler knows
of it. One that a device plugin, HAMi or a DRA driver hands out is counted there, and its index is known to them alone.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from modelpool_operator.api import names
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import PoolSpec
from modelpool_operator.api.quantity import MIB, Quantity, number_of
from modelpool_operator.planning.memory.overhead import context_bytes
from modelpool_operator.planning.sharing import mode_if_chosen
from modelpool_operator.planning.sharing.hami import COUNTER, PERCENT_RESOURCE
from modelpool_operator.planning.sharing.inventory import NodeView

HAMI: Final = COUNTER
DRA: Final = names.DRA_DRIVER
"""Who counts, beside the extended resources of device plugins, which stand for themselves."""

MEMORY_RESOURCE: Final = f"{names.NODE_GPU_RESOURCES}gpumem"
"""HAMi's: MiB of each card."""
CORES_RESOURCE: Final = f"{names.NODE_GPU_RESOURCES}gpucores"
_OF_HAMI: Final = frozenset({MEMORY_RESOURCE, PERCENT_RESOURCE, CORES_RESOURCE})
_NO_CARDS: Final = frozenset({*_OF_HAMI, f"{names.NODE_GPU_RESOURCES}priority"})
CARD_RESOURCE: Final = f"{names.NODE_GPU_RESOURCES}gpu"
UTILIZATION: Final = "--gpu-memory-utilization"
"""The argument of vLLM that says which part of a card it takes."""
ENDED: Final = frozenset({"Succeeded", "Failed"})
"""Phases of a pod that holds nothing any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Memory of one card or several of a node, in somebody's hand."""

    holder: str
    """`pool llm/agentic`, `pod llm/notebook`."""
    what: str = ""
    """What of it: a model's name, or what was asked for."""
    node: str | None = None
    """Where it is, or is counted until the scheduler has chosen; None where it may be on any of `may_be_on` alike."""
    may_be_on: frozenset[str] = frozenset()
    """Other nodes on which it may come to be; none of what stands."""
    gpus: tuple[int, ...] = ()
    """Indices of the cards; none where somebody else chooses them."""
    width: int = 1
    """How many cards."""
    copies: int = 1
    """How many there are of it, each on so many cards: engines of one model on one node."""
    bytes: int | None = None
    """Of each of them, as it was planned; None where nobody says."""
    fraction: float | None = None
    """Of each of them, beside the context: what an engine takes of whatever card it comes to."""
    percent: int | None = None
    """Of each of them, where it is said so."""
    counter: str | None = None
    """Who counts what is held: an extended resource, `HAMI`, `DRA`; None where only this operator knows."""
    whole: bool = False
    """Whether nobody else may have a part of these cards."""
    pool: ObjectRef | None = None
    """Of a pool's engine."""
    starting: bool = False
    """Whether it is such an engine, which is about to measure the card."""

    @property
    def label(self) -> str:
        """Who holds it, as a sum's term is called."""
        return f"{self.holder} ({self.what})" if self.what else self.holder

    def of_card(self, memory: int) -> int:
        """Return what one of it takes of a card with so many bytes: all of them where nobody says."""
        said = [] if self.bytes is None else [self.bytes]
        if self.percent is not None:
            said.append(-(-memory * self.percent // 100))
        if self.fraction is not None:
            said.append(int(self.fraction * memory) + context_bytes(memory, self.width))
        return min(memory, max(said, default=memory))


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Everybody else, as far as this operator sees them."""

    holds: Mapping[str, tuple[Hold, ...]] = field(default_factory=dict)
    """By node; what may be on several alike is on each of them."""
    coming: tuple[Hold, ...] = ()
    """Those that may come to be on other nodes than they are counted on."""
    homes: tuple[str, ...] = ()
    """The nodes on which the pool itself was last seen, or is counted."""
    wanted: frozenset[str] = frozenset()
    """Nodes on which others wait for room that the pool does not have to have there."""
    nodes: tuple[NodeView, ...] = ()
    """All nodes; none where the operator may not look at them."""
    locks: Mapping[ObjectRef, str] = field(default_factory=dict)
    """The claim that holds the card locks of each other pool."""
    unseen: str = ""
    """What is not looked at, as a sentence; empty where everything is."""

    @classmethod
    def of(cls, holds: Iterable[Hold], nodes: Iterable[NodeView] = (), **others: Any) -> Self:
        """Return the view of holds in any order."""
        found: dict[str, list[Hold]] = {}
        coming: list[Hold] = []
        for hold in holds:
            for node in hold.may_be_on if hold.node is None else (hold.node,):
                found.setdefault(node, []).append(hold)
            if hold.may_be_on and hold.node is not None:
                coming.append(hold)
        by_node = {node: tuple(held) for node, held in found.items()}
        return cls(holds=by_node, coming=tuple(coming), nodes=tuple(nodes), **others)

    def node(self, name: str) -> NodeView:
        """Return a node, of which nothing may be known."""
        return next((one for one in self.nodes if one.name == name), NodeView(name=name))

    def has_lock(self, hold: Hold, volume: str, counter: str | None) -> bool:
        """Return whether an engine of another pool starts by one lock with those of a pool that has a volume.

        The lock's file has the card's number in its pool: that is one card for both only where one counts for both.
        """
        return self.locks.get(hold.pool or names.ObjectRef("", "")) == volume and hold.counter == counter


def counter_of(spec: PoolSpec) -> str | None:
    """Return who counts the cards of a pool's engines."""
    return mode_if_chosen(spec.gpus.sharing).counter(spec)


def counter_in(pod: Mapping[str, Any]) -> str | None:
    """Return who counts the cards of an engine of ours, from its pod's spec."""
    if pod.get("resourceClaims"):
        return DRA
    asked = asked_of(pod)
    if _OF_HAMI & asked.keys():
        return HAMI
    return next((name for name in sorted(asked) if name not in _NO_CARDS), None)


def fraction_in(pod: Mapping[str, Any]) -> float | None:
    """Return which part of its cards an engine of ours is told to take, from its pod's spec; of a slice, HAMi says."""
    if _OF_HAMI & asked_of(pod).keys():
        return None
    for container in pod.get("containers") or ():
        arguments = list(container.get("args") or ()) if container.get("name") == names.VLLM_COMPONENT else []
        if UTILIZATION in arguments[:-1]:
            number = number_of(arguments[arguments.index(UTILIZATION) + 1])
            return None if number is None else float(number)
    return None


def percent_in(pod: Mapping[str, Any]) -> int | None:
    """Return how much of its cards an engine of ours asks HAMi for, in whole percents, from its pod's spec."""
    return asked_of(pod).get(PERCENT_RESOURCE)


def asked_of(pod: Mapping[str, Any]) -> Mapping[str, int]:
    """Return what a pod's spec asks for of NVIDIA's extended resources; what is no number counts as 1.

    As Kubernetes counts it: an init container has its amount beside the sidecars that began before it, and containers
    have theirs beside all sidecars.
    """
    sidecars: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for container in pod.get("initContainers") or ():
        asked = Counter(dict(_limits(container)))
        most |= sidecars + asked
        if container.get("restartPolicy") == "Always":
            sidecars += asked
    for container in pod.get("containers") or ():
        sidecars += Counter(dict(_limits(container)))
    return dict(most | sidecars)


def _limits(container: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    resources = container.get("resources") or {}
    for name, amount in {**(resources.get("requests") or {}), **(resources.get("limits") or {})}.items():
        if name.startswith(names.NODE_GPU_RESOURCES):
            number = number_of(amount)
            yield name, 1 if number is None else int(number)


def of_pod(pod: Mapping[str, Any]) -> tuple[Hold, ...]:
    """Return what a pod that is nobody's holds, by the extended resources that it asks for; nothing once it ended."""
    metadata, spec = pod["metadata"], pod.get("spec") or {}
    asked, node = asked_of(spec), spec.get("nodeName")
    if not asked or node is None or (pod.get("status") or {}).get("phase") in ENDED:
        return ()
    holder, in_words = f"pod {metadata['namespace']}/{metadata['name']}", {n: f"{c} {n}" for n, c in asked.items()}
    if asked.keys() & _OF_HAMI:
        memory, percent = asked.get(MEMORY_RESOURCE), asked.get(PERCENT_RESOURCE)
        return (
            Hold(
                holder=holder,
                what=", ".join(in_words[name] for name in sorted(asked)),
                node=node,
                width=asked.get(CARD_RESOURCE, 1),
                bytes=None if memory is None else memory * MIB,
                percent=percent,
                counter=HAMI,
            ),
        )
    return tuple(
        Hold(holder=holder, what=in_words[name], node=node, width=count, counter=name)
        for name, count in sorted(asked.items())
        if name not in _NO_CARDS
    )


def of_claim(claim: Mapping[str, Any]) -> tuple[Hold, ...]:
    """Return what a ResourceClaim that is nobody's holds: the whole cards of NVIDIA's driver that it was given.

    What looks at devices with administrative access, as monitoring does, takes none of them from anybody.
    """
    metadata = claim["metadata"]
    devices = (((claim.get("status") or {}).get("allocation") or {}).get("devices") or {}).get("results") or ()
    users = [one["name"] for one in (claim.get("status") or {}).get("reservedFor") or () if one.get("name")]
    holder = f"claim {metadata['namespace']}/{metadata['name']}"
    return tuple(
        Hold(
            holder=holder,
            what=", ".join([str(one.get("device")), *(f"of pod {user}" for user in users)]),
            node=one.get("pool"),
            bytes=_consumed(one),
            counter=DRA,
        )
        for one in devices
        if one.get("driver") == DRA and not one.get("adminAccess") and "-mig-" not in str(one.get("device"))
    )


def _consumed(result: Mapping[str, Any]) -> int | None:
    text = (result.get("consumedCapacity") or {}).get("memory")
    try:
        return Quantity(str(text)).bytes if text is not None else None
    except ValueError:
        return None
