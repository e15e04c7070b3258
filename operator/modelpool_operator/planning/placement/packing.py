"""Items onto cards. `spread`: the fullest card is as little full as possible. `pack`: as few cards as there can be.

Fullness counts in whole hundredths of a card, upwards: two packings that differ by less are equally good. Capacities
count in bytes. A first answer comes from placing item after item; whether there is a better one is a question of
whether everything fits below a certain fullness, which `completion` answers, with proof or with the word that it gave
up. Steps are counted, not timed, so that equal input has an equal answer.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from modelpool_operator.planning.placement import completion
from modelpool_operator.planning.placement.completion import Budget

MAX_STEPS: Final = 12_000
"""Steps before a search settles for what it has: under 100 ms."""
FIRST_STEPS: Final = 300
"""Of these, for the first answer."""
WIDE_STEPS: Final = 4
"""What the placing of a wide item counts for: it looks at every choice of cards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something that takes `size` of each of `width` cards."""

    size: int
    width: int = 1
    pinned: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """A card: its memory, by which fullness counts, and how much of that may be used."""

    memory: int
    capacity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """An answer of the search."""

    cards: tuple[tuple[int, ...], ...] | None
    """For each item, in the order given, its cards in ascending order; None when no packing was found."""
    proven: bool
    """Whether the search was exhaustive: the packing is the best there is, or there is none."""


Cards = tuple[tuple[int, ...], ...]


def spread(items: Sequence[Item], bins: Sequence[Bin], max_steps: int = MAX_STEPS) -> Packing:
    """Return the packing whose fullest card is least full."""
    first = _Search(items, bins, min(FIRST_STEPS, max_steps))
    first.run()
    if first.exhausted or (first.best is not None and first.best_fullness <= first.goal):
        return Packing(cards=first.best, proven=True)
    budget, best = Budget(max_steps - first.steps), first.best
    if best is None:
        best = _fit(items, [one.capacity for one in bins], budget)
        if best is None:
            return Packing(cards=None, proven=not budget.spent)
    proven, worst = True, _fullest(items, best, bins)
    for fullness in range(first.goal, worst):
        question = budget.share(worst - fullness)
        answer = _fit(items, [min(one.capacity, fullness * one.memory // 100) for one in bins], question)
        budget.spend(question)
        if answer is not None:
            return Packing(cards=answer, proven=proven)
        proven = proven and not question.spent
    return Packing(cards=best, proven=proven)


def pack(items: Sequence[Item], bins: Sequence[Bin], max_steps: int = MAX_STEPS) -> Packing:
    """Return a packing that uses as few cards as possible: those with pins, then the first of the others."""
    pinned = {card for item in items for card in item.pinned or ()}
    others = [card for card in range(len(bins)) if card not in pinned]
    first = _Search(items, bins, min(FIRST_STEPS, max_steps))
    first.run()
    budget, proven = Budget(max_steps - first.steps), True
    for count in range(len(others) + 1):
        used = pinned.union(others[:count])
        rooms = [one.capacity if card in used else 0 for card, one in enumerate(bins)]
        question = budget.share(len(others) + 1 - count)
        answer = _fit(items, rooms, question)
        budget.spend(question)
        if answer is not None:
            return Packing(cards=answer, proven=proven)
        proven = proven and not question.spent
    return Packing(cards=first.best, proven=proven)


def _fit(items: Sequence[Item], rooms: Sequence[int], budget: Budget) -> Cards | None:
    """Return a packing that leaves every card within its room, or None; a spent budget tells a lack of proof."""
    left, chosen = list(rooms), [item.pinned or () for item in items]
    for item in items:
        for card in item.pinned or ():
            left[card] -= item.size
    if min(left, default=0) < 0:
        return None
    free = [place for place, item in enumerate(items) if item.pinned is None]
    wide = sorted((p for p in free if items[p].width > 1), key=lambda p: (-items[p].size * items[p].width, p))
    narrow = sorted((p for p in free if items[p].width == 1), key=lambda p: (-items[p].size, p))
    sizes = [items[place].size for place in narrow]
    return _fit_wide(items, wide, left, chosen, narrow, sizes, budget, set())


def _fit_wide(
    items: Sequence[Item],
    wide: Sequence[int],
    left: list[int],
    chosen: list[tuple[int, ...]],
    narrow: Sequence[int],
    sizes: Sequence[int],
    budget: Budget,
    failed: set[tuple[int, tuple[int, ...]]],
) -> Cards | None:
    """Place the wide items one after the other in every way that differs, then all narrow ones at once."""
    if not budget.step(WIDE_STEPS):
        return None
    if not wide:
        rooms = completion.complete(sizes, left, budget)
        if rooms is None:
            return None
        for place, card in zip(narrow, rooms, strict=True):
            chosen[place] = (card,)
        return tuple(chosen)
    state = (len(wide), tuple(sorted(left)))
    place, *rest = wide
    need = sum(sizes) + sum(items[one].size * items[one].width for one in wide)
    if state in failed or need > sum(left):
        return None
    failed.add(state)
    for cards in _choices(left, left, items[place]):
        for card in cards:
            left[card] -= items[place].size
        chosen[place] = cards
        found = _fit_wide(items, rest, left, chosen, narrow, sizes, budget, failed)
        for card in cards:
            left[card] += items[place].size
        if found is not None or budget.spent:
            return found
    return None


def _choices(left: Sequence[int], kinds: Sequence[Hashable], item: Item) -> Iterator[tuple[int, ...]]:
    """Yield the cards that an item may take, roomiest first; of cards of one kind, one."""
    roomy = sorted((card for card, room in enumerate(left) if room >= item.size), key=lambda card: (-left[card], card))
    tried = set()
    for cards in combinations(roomy, item.width):
        alike = tuple(kinds[card] for card in cards)
        if alike not in tried:
            tried.add(alike)
            yield tuple(sorted(cards))


class _Search:
    """Depth first, largest item first, onto the emptiest card first. Cards that are alike are tried once."""

    def __init__(self, items: Sequence[Item], bins: Sequence[Bin], max_steps: int) -> None:
        self.items, self.bins, self.max_steps, self.steps = items, bins, max_steps, 0
        self.loads = [0] * len(bins)
        self.chosen: list[tuple[int, ...]] = [item.pinned or () for item in items]
        self.best: Cards | None = None
        self.best_fullness = 0
        for item in items:
            for card in item.pinned or ():
                self.loads[card] += item.size
        free = [place for place, item in enumerate(items) if item.pinned is None]
        self.order = sorted(free, key=lambda place: (-items[place].size, -items[place].width, place))
        self.left = [0] * (len(self.order) + 1)
        for depth in range(len(self.order) - 1, -1, -1):
            item = items[self.order[depth]]
            self.left[depth] = self.left[depth + 1] + item.size * item.width
        self.seen: set[tuple[int, tuple[tuple[int, int, int], ...]]] = set()
        self.goal = 0

    @property
    def exhausted(self) -> bool:
        """Whether nothing was left out."""
        return self.steps < self.max_steps

    def run(self) -> None:
        """Search, unless what is pinned is too much already."""
        if any(load > one.capacity for load, one in zip(self.loads, self.bins, strict=True)):
            return
        self.goal = self._bound(0)
        self._descend(0)

    def _bound(self, depth: int) -> int:
        """Return a fullness that no completion of the present state can stay below."""
        together = sum(self.loads) + self.left[depth]
        bound = -(-100 * together // sum(one.memory for one in self.bins))
        return max(bound, *(_fullness(load, one) for load, one in zip(self.loads, self.bins, strict=True)))

    def _descend(self, depth: int) -> bool:
        """Return whether the search is over."""
        self.steps += 1
        if self.steps >= self.max_steps:
            return True
        bound = self._bound(depth)
        if self.best is not None and bound >= self.best_fullness:
            return False
        if depth == len(self.order):
            self.best, self.best_fullness = tuple(self.chosen), bound
            return bound <= self.goal
        kinds = [(load, one.memory, one.capacity) for load, one in zip(self.loads, self.bins, strict=True)]
        state = (depth, tuple(sorted(kinds)))
        if state in self.seen:
            return False
        self.seen.add(state)
        place = self.order[depth]
        item = self.items[place]
        for cards in _choices([capacity - load for load, _, capacity in kinds], kinds, item):
            self._put(place, cards, item.size)
            over = self._descend(depth + 1)
            self._put(place, cards, -item.size)
            if over:
                return True
        return False

    def _put(self, place: int, cards: tuple[int, ...], size: int) -> None:
        self.chosen[place] = cards
        for card in cards:
            self.loads[card] += size


def _fullest(items: Sequence[Item], cards: Cards, bins: Sequence[Bin]) -> int:
    """Return the fullness of the fullest card."""
    loads = [0] * len(bins)
    for item, on in zip(items, cards, strict=True):
        for card in on:
            loads[card] += item.size
    return max(_fullness(load, one) for load, one in zip(loads, bins, strict=True))


def _fullness(load: int, one: Bin) -> int:
    """Return hundredths of the card in use, upwards."""
    return -(-100 * load // one.memory)
