"""Pools that are planned, put on nodes, changed, moved, stopped, drained and deleted, before and after restarts.

What the operator does not choose is chosen at random: the scheduler's node, the device plugin's and HAMi's card. Where
that may lead to a card that is full, one of the pools that meet there was told of the node.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from msgspec import structs

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.quantity import GIB, MIB
from modelpool_operator.planning.memory.overhead import context_bytes
from modelpool_operator.planning.objects.identity import Manifest, template_of
from modelpool_operator.planning.observation.holdings import HAMI, of_pod
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_views import PodView, cards_in
from modelpool_operator.planning.sharing.inventory import Inventory, NodeView
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.handlers.test_card_holdings import Around, Operator
from modelpool_operator.tests.planning.pools import pool_of, vllm
from modelpool_operator.tests.planning.test_neighbours import GPU

HOSTS = ("gpu-1", "gpu-2")
POOLS = ("a", "b", "c")
WAYS = {
    "whole": ("visibleDevices", "exclusive"),
    "sliced": ("visibleDevices", "timeSlicing"),
    "hami": ("visibleDevices", "hami"),
}
PLACES = st.sampled_from([*HOSTS, None])
FRACTIONS = st.sampled_from([0.45, 0.7, 0.8, 0.9])


@dataclass
class Cards:
    """The cards of a node, and what is truly on them."""

    memory: int
    count: int
    taken: dict[str, list[tuple[int, str | None, int]]] = field(default_factory=dict)
    """Card, who counted it, bytes; by who has it."""

    def on(self, card: int, *counters: str | None) -> int:
        """Return what is held of a card, as far as these have counted it; all of it where none is named."""
        every = (one for held in self.taken.values() for one in held)
        return sum(size for where, counter, size in every if where == card and (not counters or counter in counters))

    def free(self, counter: str, size: int, *, whole: bool) -> list[int]:
        """Return the cards that somebody who counts would give."""
        found = ((card, self.on(card, counter)) for card in range(self.count))
        return [card for card, held in found if (held == 0 if whole else held + size <= self.memory)]


@dataclass
class Pod:
    """One pod on its node."""

    pool: str
    manifest: Manifest
    node: str
    pinned: bool

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def model(self) -> str:
        return str(self.manifest["metadata"]["annotations"][names.MODEL_ANNOTATION])


class Cluster(RuleBasedStateMachine):
    """One cluster, one operator after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.operator = Operator()
        self.nodes: dict[str, NodeView] = {}
        self.cards: dict[str, Cards] = {}
        self.pools: dict[str, ModelPool] = {}
        self.told: dict[str, str] = {}
        self.pods: list[Pod] = []
        self.left: dict[str, ModelPool] = {}
        """Pools that are deleted, and whose pods are not gone."""
        self.numbers = itertools.count()

    @initialize(
        kind=st.sampled_from(sorted(WAYS)),
        labelled=st.booleans(),
        sizes=st.tuples(*[st.sampled_from([24, 48])] * 2),
        counts=st.tuples(*[st.integers(1, 2)] * 2),
        strangers=st.tuples(*[st.booleans()] * 2),
        chance=st.randoms(use_true_random=False),
    )
    def begins(
        self,
        kind: str,
        labelled: bool,
        sizes: tuple[int, int],
        counts: tuple[int, int],
        strangers: tuple[bool, bool],
        chance: Random,
    ) -> None:
        self.kind, self.labelled, self.chance = kind, labelled, chance
        pods = []
        for host, size, count, met in zip(HOSTS, sizes, counts, strangers, strict=True):
            memory, cards = (size if labelled else 24) * GIB, 1 if kind == "sliced" else count
            self.cards[host] = Cards(memory=memory, count=cards)
            self.nodes[host] = self._node(host, memory, cards)
            if met and kind != "sliced":
                pods.append(self._stranger(host))
        holds = tuple(hold for pod in pods for hold in of_pod(pod))
        self.operator = Operator(around=Around(nodes=tuple(self.nodes.values()), strangers=holds))

    def _node(self, host: str, memory: int, cards: int) -> NodeView:
        strategy = "time-slicing" if self.kind == "sliced" else "none"
        said = {names.NODE_GPU_COUNT_LABEL: str(cards), names.NODE_GPU_SHARING_LABEL: strategy}
        said[names.NODE_GPU_MEMORY_LABEL] = str(memory // MIB)
        annotations = {names.HAMI_NODE_ANNOTATION: "[]"} if self.kind == "hami" else {}
        labels = {names.HOSTNAME_LABEL: host, "gpu": "yes", **(said if self.labelled else {})}
        offered = {GPU: "1k" if self.kind == "sliced" else str(cards)}
        manifest = {"metadata": {"name": host, "labels": labels, "annotations": annotations}}
        return NodeView.from_manifest({**manifest, "status": {"allocatable": offered}})

    def _stranger(self, host: str) -> Manifest:
        limits, size, counter = {GPU: "1"}, self.cards[host].memory, GPU
        if self.kind == "hami":
            limits, size, counter = {GPU: "1", "nvidia.com/gpumem": "16k"}, 16000 * MIB, HAMI
        card = self.chance.randrange(self.cards[host].count)
        self.cards[host].taken[f"stranger on {host}"] = [(card, counter, size)]
        spec = {"nodeName": host, "containers": [{"name": "main", "resources": {"limits": limits}}]}
        return {"metadata": {"namespace": "lab", "name": "s"}, "spec": spec, "status": {"phase": "Running"}}

    @rule(
        name=st.sampled_from(POOLS),
        way=st.integers(0, 1),
        fraction=FRACTIONS,
        host=PLACES,
        replicas=st.integers(0, 2),
        count=st.integers(1, 2),
        settles=st.sampled_from([True, True, True, False]),
    )
    def wants(
        self, name: str, way: int, fraction: float, host: str | None, replicas: int, count: int, settles: bool
    ) -> None:
        """Make a pool, or change it, and let it come to be as it is wanted."""
        sharing = WAYS[self.kind][way]
        if name in self.left:
            return
        gpus: dict[str, Any] = {"sharing": sharing, "memory": None if self.labelled else "24Gi"}
        gpus["count"] = min(count, *(one.count for one in self.cards.values())) if way == 0 else 1
        made = pool_of(
            vllm("m", fraction, replicas=replicas),
            name=name,
            gpus=gpus,
            nodeSelector={names.HOSTNAME_LABEL: host} if host else {"gpu": "yes"},
            ollama={"enabled": False},
            cache={"existingClaim": f"weights-{name}"},
        )
        created = datetime(2026, 11, POOLS.index(name) + 1, tzinfo=UTC)
        self.pools[name] = structs.replace(made, uid=f"uid-{name}", created=created)
        self.look(name)
        if settles:
            self._drain(name, all_=False)
            self._start(name)

    @precondition(lambda self: self.pools)
    @rule(data=st.data())
    def is_scaled(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.pools)))
        spec = self.pools[name].spec
        models = tuple(structs.replace(one, replicas=data.draw(st.integers(0, 2))) for one in spec.models)
        self.pools[name] = structs.replace(self.pools[name], spec=structs.replace(spec, models=models))
        self.look(name)

    @precondition(lambda self: self.pools)
    @rule(data=st.data())
    def is_looked_at(self, data: st.DataObject) -> None:
        self.look(data.draw(st.sampled_from(sorted(self.pools))))

    @precondition(lambda self: self.pools)
    @rule(data=st.data())
    def is_put_on_nodes(self, data: st.DataObject) -> None:
        """Let Deployments make what pods they lack, and the scheduler put them where it likes."""
        self._start(data.draw(st.sampled_from(sorted(self.pools))))

    def _start(self, name: str) -> None:
        for deployment in self._deployments(name):
            wanted = deployment["spec"]["replicas"] - sum(one.pool == name for one in self.pods)
            for _ in range(wanted if self._is_current(name, deployment) else 0):
                self._put(name, deployment)
        self.look(name)

    @precondition(lambda self: self.pools)
    @rule(data=st.data(), all_=st.booleans())
    def is_drained(self, data: st.DataObject, all_: bool) -> None:
        """End the pods of a pool that its Deployments do not want any more, or all of them."""
        self._drain(data.draw(st.sampled_from(sorted(self.pools))), all_=all_)

    def _drain(self, name: str, *, all_: bool) -> None:
        for deployment in self._deployments(name):
            mine = [one for one in self.pods if one.pool == name]
            surplus = mine[deployment["spec"]["replicas"] :] if self._is_current(name, deployment) else mine
            for pod in mine if all_ else surplus:
                self._end(pod)
        self.look(name)

    @precondition(lambda self: self.pools)
    @rule(data=st.data())
    def is_deleted(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.pools)))
        self.left[name] = self.pools.pop(name)
        self.told.pop(name, None)
        self.operator.leave(self.left[name], Observed(pods=self._views(name)))

    @precondition(lambda self: self.left)
    @rule(data=st.data())
    def is_gone(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.left)))
        for pod in [one for one in self.pods if one.pool == name]:
            self._end(pod)
        self.operator.leave(self.left.pop(name), Observed())

    @rule()
    def restarts(self) -> None:
        known = self.operator.known
        self.operator = Operator(around=self.operator.around, known=known)
        for name, pool in self.pools.items():
            seen = known.get(pool.ref, Observed())
            self.operator.card_holdings.expect(pool, replace(seen, pods=self._views(name), inventory=Inventory()))
        for name, pool in self.left.items():
            self.operator.card_holdings.leave(pool.ref, Observed(pods=self._views(name)))

    def look(self, name: str) -> None:
        pool = self.pools[name]
        known = self.operator.known.get(pool.ref, Observed())
        inventory = Inventory(nodes=tuple(self.nodes.values()))
        self.operator.known[pool.ref] = replace(known, pods=self._views(name), inventory=inventory)
        plan, _ = self.operator.look(pool)
        if isinstance(plan.placement, Placement):
            over = [card.named for card in plan.placement.cards if card.free < 0]
            self.told[name] = "; ".join((*plan.placement.beside, *over))

    def _views(self, name: str) -> tuple[PodView, ...]:
        return tuple(PodView.from_manifest(one.manifest) for one in self.pods if one.pool == name)

    def _deployments(self, name: str) -> list[Manifest]:
        seen = self.operator.known.get(self.pools[name].ref, Observed())
        return [one for one in seen.children.values() if one["kind"] == "Deployment"]

    def _is_current(self, name: str, deployment: Manifest) -> bool:
        stamps = {PodView.from_manifest(one.manifest).template for one in self.pods if one.pool == name}
        return stamps <= {template_of(deployment)}

    def _put(self, name: str, deployment: Manifest) -> None:
        template = deployment["spec"]["template"]
        spec, selector = template["spec"], template["spec"]["nodeSelector"]
        affinity = spec.get("affinity") or {}
        apart = "podAntiAffinity" in affinity and "required" in str(affinity)
        mine = {one.node for one in self.pods if one.pool == name}
        fitting = [host for host, node in self.nodes.items() if selector.items() <= node.labels.items()]
        fitting = [host for host in fitting if not (apart and host in mine)]
        if "podAffinity" in affinity and mine:
            fitting = [host for host in fitting if host in mine]
        self.chance.shuffle(fitting)
        pinned = names.HOSTNAME_LABEL in selector
        for host in fitting:
            described = {**template["metadata"], "name": f"{name}-{next(self.numbers)}"}
            status = {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "vllm", "ready": True, "started": True, "state": {"running": {}}}],
            }
            manifest = {"metadata": described, "spec": {**spec, "nodeName": host}, "status": status}
            pod = Pod(pool=name, manifest=manifest, node=host, pinned=pinned)
            if self._give(pod):
                self.pods.append(pod)
                self._check(host)
                return
        if pinned and fitting and self.labelled:
            self._must_be_others_fault(name, fitting[0])

    def _give(self, pod: Pod) -> bool:
        """Give a pod its cards, as its way of sharing does; return whether it gets them."""
        cards, view = self.cards[pod.node], PodView.from_manifest(pod.manifest)
        (container,) = pod.manifest["spec"]["containers"]
        limits, arguments = container.get("resources", {}).get("limits", {}), container["args"]
        fraction = float(arguments[arguments.index("--gpu-memory-utilization") + 1])
        size = int(fraction * cards.memory) + context_bytes(cards.memory)
        whole, counter = self.kind == "whole", GPU
        if GPU not in limits:
            shown = cards_in(pod.manifest["metadata"]["annotations"][names.CARD_ANNOTATION])
            cards.taken[pod.name] = [(gpu, None, size) for gpu in shown]
            return True
        if self.kind == "hami":
            counter, size = HAMI, -(-int(limits["nvidia.com/gpumem-percentage"]) * cards.memory // 100)
        elif self.kind == "whole":
            size = cards.memory
        free = list(range(cards.count)) if self.kind == "sliced" else cards.free(counter, size, whole=whole)
        assert view.counter == counter
        if free:
            cards.taken[pod.name] = [(self.chance.choice(free), counter, size)]
        return bool(free)

    def _end(self, pod: Pod) -> None:
        self.pods.remove(pod)
        self.cards[pod.node].taken.pop(pod.name, None)

    def _check(self, host: str) -> None:
        cards = self.cards[host]
        for card in range(cards.count):
            if cards.on(card) <= cards.memory:
                continue
            here = [one for one in self.pods if one.node == host and self._has(one, card)]
            assert not all(one.pinned for one in here), (host, card, cards.taken)
            told = [one.pool for one in here if host in self.told.get(one.pool, "")]
            assert told, (host, card, cards.taken, self.told)

    def _has(self, pod: Pod, card: int) -> bool:
        return any(where == card for where, *_ in self.cards[pod.node].taken.get(pod.name, ()))

    def _must_be_others_fault(self, name: str, host: str) -> None:
        """Hold that a pool on one node finds a card there, unless somebody came who might have gone elsewhere."""
        others = list(self._others_on(host, name))
        strayed = [one for one in others if not one.pinned]
        moving = [one for one in others if one.pool not in self.pools or self._moves(one)]
        assert strayed or moving or any(one.pool == name for one in self.pods if one.node == host), (
            host,
            self.cards[host].taken,
        )

    def _moves(self, pod: Pod) -> bool:
        return any(not self._is_current(pod.pool, one) for one in self._deployments(pod.pool))

    def _others_on(self, host: str, name: str) -> Iterator[Pod]:
        return (one for one in self.pods if one.node == host and one.pool != name)


Cluster.TestCase.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
TestNoCardIsPromisedTwiceOverTime = Cluster.TestCase
