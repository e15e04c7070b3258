"""Ids for tool calls that have none: nine letters or digits, and no other call's of the conversation.

Nine, because that is what Mistral's tokenizer asks for, and other models take any. Ids that a caller or an engine gives
are theirs, and stay as they are.
"""

from collections.abc import Callable
from typing import Final

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_LENGTH: Final = 9
_ALL: Final = 36**9
HISTORY: Final = int("call00000", 36)
"""Where those of earlier turns begin: the same in each turn, so that the engine knows the conversation again."""


class CallIds:
    """Gives new ids, one after another."""

    def __init__(self, taken: Callable[[], set[str]], start: int) -> None:
        """`taken` tells the ids that there are, and is asked when the first new one is needed. `start`: any number."""
        self._ask = taken
        self._taken: set[str] | None = None
        self._next = start % _ALL

    def new(self) -> str:
        """An id that nobody has."""
        taken = self._taken
        if taken is None:
            taken = self._taken = self._ask()
        while True:
            made = _written(self._next)
            self._next = (self._next + 1) % _ALL
            if made not in taken:
                taken.add(made)
                return made


def _written(number: int) -> str:
    digits = ""
    for _ in range(_LENGTH):
        number, rest = divmod(number, len(_DIGITS))
        digits = _DIGITS[rest] + digits
    return digits
