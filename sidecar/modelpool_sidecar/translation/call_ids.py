"""Ids for tool calls that have none: nine letters or digits, and no other call's of the conversation.

Nine, because that is what Mistral's tokenizer asks for, and other models take any. Ids that a caller or an engine gives
are theirs, and stay as they are.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_LENGTH: Final = 9
_ALL: Final = 36**9
_EARLIER: Final = int("call00000", 36)
"""Where those of earlier turns begin: the same in each turn, so that the engine knows the conversation again."""


class CallIds:
    """Gives new ids, one after another."""

    def __init__(self, taken: set[str], start: int) -> None:
        """`taken`: the ids that there are. `start`: any number."""
        self._taken = taken
        self._next = start % _ALL

    def new(self) -> str:
        """An id that nobody has."""
        while True:
            made = _written(self._next)
            self._next = (self._next + 1) % _ALL
            if made not in self._taken:
                return made


def _written(number: int) -> str:
    digits = ""
    for _ in range(_LENGTH):
        number, rest = divmod(number, len(_DIGITS))
        digits = _DIGITS[rest] + digits
    return digits


class ToolTurns:
    """The calls and answers of a conversation, turn by turn."""

    def __init__(self, given: Callable[[], set[str]]) -> None:
        """`given` tells all ids that the conversation has."""
        self._given = given
        self._new: CallIds | None = None
        self._ids: list[str] = []
        """Of the calls of the last turn that has some."""
        self._names: list[str] = []
        self._closed = bytearray()
        """Which of them were answered."""
        self._first = 0
        self._by_name: dict[str, deque[int]] | None = None
        self._by_id: dict[str, list[int]] = {}

    def new_id(self) -> str:
        """For a call that has none."""
        if self._new is None:
            self._new = CallIds(self._given(), _EARLIER)
        return self._new.new()

    def begin(self, ids: list[str], names: list[str]) -> None:
        """A turn has these calls."""
        self._ids, self._names, self._closed, self._first, self._by_name = ids, names, bytearray(len(ids)), 0, None

    def answered(self, its_id: str, name: str) -> str:
        """The id of the call that is answered: as said, else the first open one of that tool, else the first open."""
        by_name = self._by_name
        if by_name is None:
            by_name = self._by_name = {}
            self._by_id = {}
            for place, called in enumerate(self._names):
                by_name.setdefault(called, deque()).append(place)
                self._by_id.setdefault(self._ids[place], []).append(place)
        if its_id:
            for answered in self._by_id.pop(its_id, ()):
                self._closed[answered] = True
            return its_id
        place = self._next(by_name.get(name)) if name else -1
        if place < 0:
            place = self._first = self._closed.find(0, self._first)
        if place < 0:
            self._first = len(self._closed)
            return self.new_id()
        self._closed[place] = True
        return self._ids[place]

    def _next(self, places: deque[int] | None) -> int:
        while places:
            place = places.popleft()
            if not self._closed[place]:
                return place
        return -1
