"""Whether items fit into rooms of given sizes: an exact search that fills one room after the other.

Somewhere the largest item must go. The room it goes into is completed at once, in every way that is not plainly worse
than another: a way is worse if one more item would fit, or if an item could be swapped for a larger one. What a room
wastes is taken from what all rooms have to spare, so nearly full cards, which are the hard ones, leave few ways.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

FEW_WAYS: Final = 24
"""Ways to complete one room that a first, quick look weighs: mostly enough to find what is there, never a proof."""


class Budget:
    """Steps that may still be taken."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.given = steps

    @property
    def spent(self) -> bool:
        """Whether nothing is left, so that something was left out."""
        return self.steps <= 0

    def step(self, count: int = 1) -> bool:
        """Take steps, and return whether there were as many."""
        self.steps -= count
        return self.steps > 0

    def share(self, questions: int) -> "Budget":
        """Return the part of this one that the first of so many questions may take."""
        return Budget(max(0, self.steps) // questions)

    def spend(self, part: "Budget") -> None:
        """Count what was taken from a part."""
        self.steps -= part.given - max(0, part.steps)


def complete(sizes: Sequence[int], rooms: Sequence[int], budget: Budget) -> tuple[int, ...] | None:
    """Return the room of each item, or None: there is no way, unless the budget is spent.

    Args:
        sizes: of the items, largest first.
        rooms: what each one holds.
        budget: of steps; a way to complete a room is one.
    """
    where = [0] * len(sizes)
    items, numbered = tuple(range(len(sizes))), tuple(enumerate(rooms))
    quick = budget.share(4)
    found = _Search(sizes, where, quick, FEW_WAYS).run(items, numbered)
    budget.spend(quick)
    return tuple(where) if found or _Search(sizes, where, budget, None).run(items, numbered) else None


class _Search:
    def __init__(self, sizes: Sequence[int], where: list[int], budget: Budget, most_ways: int | None) -> None:
        self.sizes, self.where, self.budget, self.most_ways = sizes, where, budget, most_ways
        self.failed: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()

    def run(self, items: tuple[int, ...], rooms: tuple[tuple[int, int], ...]) -> bool:
        """Return whether the items fit into the open rooms, by index and size; `where` then says how."""
        if not items:
            return True
        smallest = self.sizes[items[-1]]
        rooms = tuple(one for one in rooms if one[1] >= smallest)
        spare = sum(room for _, room in rooms) - sum(self.sizes[item] for item in items)
        if spare < 0 or not self.budget.step() or not self._may_fit(items, rooms):
            return False
        state = (items, tuple(sorted(room for _, room in rooms)))
        if state in self.failed:
            return False
        tried = set()
        for index, room in rooms:
            if room < self.sizes[items[0]] or room in tried:
                continue
            tried.add(room)
            others = tuple(one for one in rooms if one[0] != index)
            for way in self._ways(items, room, spare):
                if self.run(tuple(item for item in items if item not in way), others):
                    for item in way:
                        self.where[item] = index
                    return True
                if self.budget.spent:
                    return False
        self.failed.add(state)
        return False

    def _may_fit(self, items: tuple[int, ...], rooms: tuple[tuple[int, int], ...]) -> bool:
        """Return whether there are places for as many items of each size and above."""
        return all(
            count <= sum(room // self.sizes[item] for _, room in rooms) for count, item in enumerate(items, start=1)
        )

    def _ways(self, items: tuple[int, ...], room: int, spare: int) -> list[frozenset[int]]:
        """Return the ways to complete a room that holds the largest item, those that waste least first."""
        first, rest = items[0], items[1:]
        left = room - self.sizes[first]
        after = [0] * (len(rest) + 1)
        for place in range(len(rest) - 1, -1, -1):
            after[place] = after[place + 1] + self.sizes[rest[place]]
        found: list[tuple[int, tuple[int, ...]]] = []
        for waste, way in self._subsets(rest, after, 0, left, spare, ()):
            if self.budget.spent or len(found) == self.most_ways:
                break
            if not self._is_worse(rest, way, waste):
                found.append((waste, way))
        return [frozenset((first, *way)) for _, way in sorted(found)]

    def _subsets(
        self, rest: tuple[int, ...], after: list[int], place: int, left: int, spare: int, way: tuple[int, ...]
    ) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield what is wasted and the items, of every choice that wastes no more than there is to spare."""
        sizes = self.sizes
        if not self.budget.step():
            return
        while place < len(rest) and sizes[rest[place]] > left:
            place += 1
        if left - after[place] > spare:
            return
        if place == len(rest):
            yield left, way
            return
        item = rest[place]
        yield from self._subsets(rest, after, place + 1, left - sizes[item], spare, (*way, item))
        while place < len(rest) and sizes[rest[place]] == sizes[item]:
            place += 1
        yield from self._subsets(rest, after, place, left, spare, way)

    def _is_worse(self, rest: tuple[int, ...], way: tuple[int, ...], waste: int) -> bool:
        """Return whether another item fits beside these, or in place of a smaller one of them."""
        if not waste:
            return False
        chosen = set(way)
        outside = sorted(self.sizes[item] for item in rest if item not in chosen)
        if outside and outside[0] <= waste:
            return True
        for item in way:
            size = self.sizes[item]
            place = bisect_right(outside, size)
            if place < len(outside) and outside[place] <= size + waste:
                return True
        return False
