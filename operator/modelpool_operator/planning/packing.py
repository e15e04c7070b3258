"""Items onto cards such that the fullest card is as little full as possible. An exact search with a bound on its steps.

Fullness counts in whole hundredths of a card, upwards: two packings that differ by less are equally good, and the
search may stop at the first one that reaches the lower bound. Capacities count in bytes. Cards that are alike
(same memory, same load) are tried once; a state (loads, items left) is visited once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

MAX_STEPS: Final = 6_000
"""States visited before the search settles for what it has: under 100 ms. Counted, not timed, to be deterministic."""


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


def pack(items: Sequence[Item], bins: Sequence[Bin], max_steps: int = MAX_STEPS) -> Packing:
    """Return the best packing, deterministic for equal input."""
    even = _Search(items, bins, max_steps // 2, tight=False)
    even.run()
    if even.best is not None or even.exhausted:
        return Packing(cards=even.best, proven=even.exhausted)
    tight = _Search(items, bins, max_steps // 2, tight=True)
    tight.run()
    return Packing(cards=tight.best, proven=tight.exhausted and tight.best is None)


class _Search:
    """Depth first, largest item first; onto the emptiest card first, or, when tight, onto the fullest.

    A tight search looks for any packing at all, for cards that are nearly filled: it gives a branch up as soon as the
    gaps that no item left can fill amount to more than what the cards have to spare.
    """

    def __init__(self, items: Sequence[Item], bins: Sequence[Bin], max_steps: int, *, tight: bool) -> None:
        self.items, self.bins, self.max_steps, self.steps, self.tight = items, bins, max_steps, 0, tight
        self.loads = [0] * len(bins)
        self.chosen: list[tuple[int, ...]] = [item.pinned or () for item in items]
        self.best: tuple[tuple[int, ...], ...] | None = None
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
            return self.tight or bound <= self.goal
        if self.tight and self._wasteful(depth):
            return False
        loaded = zip(self.loads, self.bins, strict=True)
        state = (depth, tuple(sorted((load, one.memory, one.capacity) for load, one in loaded)))
        if state in self.seen:
            return False
        self.seen.add(state)
        place = self.order[depth]
        for cards in self._choices(self.items[place]):
            self._put(place, cards, self.items[place].size)
            over = self._descend(depth + 1)
            self._put(place, cards, -self.items[place].size)
            if over:
                return True
        return False

    def _wasteful(self, depth: int) -> bool:
        """Return whether what is left cannot fit, as too many gaps are smaller than the smallest item left."""
        smallest = self.items[self.order[-1]].size
        gaps = (one.capacity - load for load, one in zip(self.loads, self.bins, strict=True))
        return sum(gap for gap in gaps if gap >= smallest) < self.left[depth]

    def _put(self, place: int, cards: tuple[int, ...], size: int) -> None:
        self.chosen[place] = cards
        for card in cards:
            self.loads[card] += size

    def _choices(self, item: Item) -> Iterator[tuple[int, ...]]:
        """Yield the cards the item may take, emptiest first, one of those that are alike."""
        roomy = [card for card, one in enumerate(self.bins) if self.loads[card] + item.size <= one.capacity]
        roomy.sort(key=lambda card: (-self.loads[card] if self.tight else self.loads[card], card))
        tried = set()
        for cards in combinations(roomy, item.width):
            alike = tuple((self.loads[card], self.bins[card].memory, self.bins[card].capacity) for card in cards)
            if alike not in tried:
                tried.add(alike)
                yield tuple(sorted(cards))


def _fullness(load: int, one: Bin) -> int:
    """Return hundredths of the card in use, upwards."""
    return -(-100 * load // one.memory)
