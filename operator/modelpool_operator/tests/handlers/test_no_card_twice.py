"""Whatever two pools and strangers ask for, in whatever order, no card is promised twice."""

from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from modelpool_operator.api.pool import ModelPool, Sharing
from modelpool_operator.api.quantity import GIB
from modelpool_operator.planning.observation.holdings import HAMI, Hold
from modelpool_operator.planning.sharing.inventory import NodeView
from modelpool_operator.planning.sharing.shares import Placement, Share
from modelpool_operator.tests.handlers.test_card_holdings import Around, Operator
from modelpool_operator.tests.planning.pools import pool_of, vllm
from modelpool_operator.tests.planning.test_neighbours import GPU, node, sliced

MEMORY = 24 * GIB
NODES = ("gpu-1", "gpu-2")


class Cards:
    """The cards of a node, as those who hand them out know them: each chooser knows only of what it gave itself."""

    def __init__(self, count: int, chance: Random) -> None:
        self.given: list[tuple[int, str | None, int]] = []
        """Card, who counted it, bytes."""
        self.count = count
        self._chance = chance

    def give(self, chooser: str | None, size: int, width: int, *, whole: bool) -> tuple[int, ...]:
        """Let a chooser take cards, any that it may; none where it has too few."""
        free = [card for card in range(self.count) if self._may_have(card, chooser, size, whole)]
        if len(free) < width:
            return ()
        chosen = tuple(self._chance.sample(free, width))
        self.given += [(card, chooser, size) for card in chosen]
        return chosen

    def occupy(self, counter: str, size: int) -> bool:
        """Let a stranger have a card that nobody has; return whether there is one."""
        free = [card for card in range(self.count) if self.held(card) == 0]
        if free:
            self.given.append((self._chance.choice(free), counter, size))
        return bool(free)

    def show(self, gpus: Sequence[int], size: int) -> None:
        """Show cards to an engine by their index."""
        self.given += [(gpu, None, size) for gpu in gpus]

    def _may_have(self, card: int, chooser: str | None, size: int, whole: bool) -> bool:
        """Return whether a chooser has room there, as far as it has counted."""
        mine = [one for one in self.given if one[:2] == (card, chooser)]
        return not mine if whole else sum(held for *_, held in mine) + size <= MEMORY

    def held(self, card: int) -> int:
        return sum(size for where, _, size in self.given if where == card)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[dict[str, NodeView], dict[str, Cards], list[Hold], list[ModelPool]]:
    nodes: dict[str, NodeView] = {}
    cards: dict[str, Cards] = {}
    strangers: list[Hold] = []
    chance = draw(st.randoms(use_true_random=False))
    for name in NODES:
        count = draw(st.integers(1, 4))
        kind = draw(st.sampled_from(["whole", "sliced", "hami"]))
        count = 1 if kind == "sliced" else count
        nodes[name] = sliced(count, name=name) if kind == "sliced" else node(count, name=name, has_hami=kind == "hami")
        cards[name] = Cards(count, chance)
        for number in range(draw(st.integers(0, 2))):
            strangers += _stranger(draw, name, kind, cards[name], number)
    pools = [draw(_pools(place, nodes)) for place in range(2)]
    return nodes, cards, strangers, pools


def _stranger(draw: st.DrawFn, name: str, kind: str, cards: Cards, number: int) -> list[Hold]:
    """Return a pod that is nobody's, on a card that its chooser gave it; strangers leave each other alone."""
    hami = kind == "hami"
    claim = kind == "whole" and draw(st.booleans())
    size = draw(st.integers(1, 24)) * GIB if hami else MEMORY
    counter = HAMI if hami else "gpu.nvidia.com" if claim else GPU
    if not cards.occupy(counter, size):
        return []
    return [Hold(holder=f"pod lab/stranger-{number}", node=name, counter=counter, bytes=size if hami else None)]


@st.composite
def _pools(draw: st.DrawFn, place: int, nodes: dict[str, NodeView]) -> ModelPool:
    name = draw(st.sampled_from(NODES))
    count = int(nodes[name].labels["nvidia.com/gpu.count"])
    ways = ["visibleDevices", *(["hami"] if nodes[name].has_hami else ["timeSlicing", "exclusive", "dra"])]
    sharing = draw(st.sampled_from([way for way in ways if way != "timeSlicing" or count == 1]))
    models = []
    for number in range(draw(st.integers(1, 3))):
        wide = draw(st.sampled_from([1, 1, 2])) if count > 1 and sharing != "timeSlicing" else 1
        models.append(vllm(f"m{number}", draw(st.integers(5, 90)) / 100, tensorParallelSize=wide))
    ollama: dict[str, Any] = {"gpuMemory": f"{draw(st.integers(0, 6))}Gi"}
    return pool_of(
        *models,
        name=f"pool-{place}",
        gpus={"sharing": sharing, "count": count, "placement": draw(st.sampled_from(["spread", "pack"]))},
        nodeSelector={"kubernetes.io/hostname": name},
        ollama=ollama,
    )


def _take(pool: ModelPool, placement: Placement, cards: Cards) -> None:
    """Give the engines of a plan their cards, as the pool's way of sharing does."""
    sharing = pool.spec.gpus.sharing
    if sharing is Sharing.DRA:
        for card in placement.cards:
            if card.shares:
                cards.give("gpu.nvidia.com", card.planned, 1, whole=True)
        return
    for share in placement.shares:
        size = _size(share, sharing)
        if sharing is Sharing.VISIBLE_DEVICES:
            cards.show(share.gpus, size)
        else:
            cards.give(
                HAMI if sharing is Sharing.HAMI else GPU, size, len(share.gpus), whole=sharing is Sharing.EXCLUSIVE
            )


def _size(share: Share, sharing: Sharing) -> int:
    return MEMORY if sharing is Sharing.EXCLUSIVE else share.bytes + share.overhead


@settings(max_examples=300, deadline=None)
@given(worlds(), st.booleans())
def test_no_card_is_promised_twice(
    world: tuple[dict[str, NodeView], dict[str, Cards], list[Hold], list[ModelPool]], younger_first: bool
) -> None:
    nodes, cards, strangers, pools = world
    operator = Operator(around=Around(nodes=tuple(nodes.values()), strangers=tuple(strangers)))
    for pool in reversed(pools) if younger_first else pools:
        plan, _ = operator.look(pool)
        if isinstance(plan.placement, Placement):
            _take(pool, plan.placement, cards[pool.spec.node_selector["kubernetes.io/hostname"]])
        elif plan.placement.reason == "CardHeld":
            others = {f"pool llm/{one.ref.name}" for one in pools if one is not pool} | {
                one.holder for one in strangers
            }
            assert any(other in plan.placement.message for other in others), plan.placement.message
    for name, here in cards.items():
        for card in range(4):
            assert here.held(card) <= MEMORY, (name, card, here.given, [one.spec.gpus for one in pools])


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_two_plans_never_chase_each_other(
    world: tuple[dict[str, NodeView], dict[str, Cards], list[Hold], list[ModelPool]],
) -> None:
    """Passes over both, as often as they wake each other, come to an end, and to the same plans again."""
    nodes, _, strangers, pools = world
    operator = Operator(around=Around(nodes=tuple(nodes.values()), strangers=tuple(strangers)))
    known = {pool.ref.name: pool for pool in pools}
    todo, passes = list(known), 0
    while todo:
        passes += 1
        assert passes < 20, "they wake each other for ever"
        _, woken = operator.look(known[todo.pop(0)])
        todo += [name for name in sorted(woken) if name not in todo]
    verdicts = [operator.look(pool)[0].refusal for pool in pools]
    assert [operator.look(pool)[0].refusal for pool in pools] == verdicts
