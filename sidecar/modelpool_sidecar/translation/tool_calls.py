"""The tool calls of an answer, put together from the pieces in which vLLM streams them.

Its parsers send names again, ids for each piece, two calls at one index, pieces of two calls in turns, pieces of no
call, and null for an empty object. A piece belongs to the call with its id; without one, or with a new one that names
no tool, to the last call at its index. With a new id and a name it begins a call, and so does a name or more arguments
behind arguments that are whole.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from ..dialects import go_decoding
from ..dialects.errors import EngineError
from . import engine_errors
from .call_ids import CallIds
from .engine_chunks import ToolDelta
from .exchange import Function, ToolCall

_BLANK: Final = ("", "null")
"""Arguments that are none."""
_REASON: Final = "tool_calls"
_TRIES: Final = 16
"""How often the arguments of one call are looked at before the answer's end: each look reads all of them."""
_decode: Final = msgspec.json.Decoder(dict[str, object]).decode
_encode: Final = msgspec.json.Encoder().encode


class _Open:
    """A call of which more may come."""

    __slots__ = ("_looks", "_seen", "arguments", "given", "id", "name", "whole")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []
        """None of them empty."""
        self.given = False
        self.whole = False
        """Whether its arguments are an object that has ended, as far as was looked."""
        self._seen = self._looks = 0

    def look(self) -> bool:
        """Whether it is `whole` now. False is no answer where they were looked at often."""
        if not self.given and self._seen != len(self.arguments):
            self._seen = len(self.arguments)
            self.whole = False
            if self._looks < _TRIES and self.arguments[-1].endswith("}"):
                self._looks += 1
                self.whole = _object("".join(self.arguments)) is not None
        return self.whole


class ToolCalls:
    """Collects pieces. A call is given when another has begun and it is whole, or when the answer ends."""

    def __init__(self, *, taken: Callable[[], set[str]], seed: int) -> None:
        """`taken`: tells the ids of the conversation. `seed`: a number that no other answer of it has."""
        self._taken = taken
        self._seed = seed
        self._ids: CallIds | None = None
        self._waiting: deque[_Open] = deque()
        """In the order in which they began."""
        self._last: dict[int, _Open] = {}
        """Of each index."""
        self._known: dict[tuple[int, str], _Open] = {}
        """By index and id."""
        self._given = 0
        self._found = False
        """Whether there was a call, be it one that had to be given as text."""

    def take(self, deltas: list[ToolDelta], *, whole: bool = False) -> list[ToolCall | str]:
        """Add pieces; give the calls that became complete, and what can belong to no call as text.

        `whole`: they are those of a document, each a call, whatever index it has or has not.
        """
        done: list[ToolCall | str] = []
        for place, delta in enumerate(deltas):
            index = place if whole else delta.index or 0
            name, arguments = _said(delta)
            one = self._call_of(index, delta.id or "", name, arguments)
            if one is None:
                while self._waiting and self._waiting[0].look():
                    done += self._complete(self._waiting.popleft())
                one = self._begin(index, delta.id or "")
            if one.given:
                if arguments.strip() not in _BLANK:
                    done.append(arguments)
                continue
            if name != one.name and not (one.name and one.arguments):
                one.name += name
            if arguments:
                one.arguments.append(arguments)
        return done

    def finish(self, reason: str) -> list[ToolCall | str]:
        """The calls still open, now complete. A call whose arguments are no JSON object is given as the text it was.

        `reason`: why the engine ended the answer. Raises EngineError where it is a call, and there was none.
        """
        done: list[ToolCall | str] = []
        for one in self._waiting:
            done += self._complete(one)
        self._waiting.clear()
        self._last.clear()
        self._known.clear()
        if reason == _REASON and not self._found:
            raise EngineError(engine_errors.NO_CALL)
        return done

    def _call_of(self, index: int, its_id: str, name: str, arguments: str) -> _Open | None:
        """The call that a piece belongs to; None when it begins one."""
        one = self._last.get(index)
        if one is None:
            return None
        if its_id:
            known = self._known.get((index, its_id))
            if known is not None:
                self._last[index] = known
                return known
        if one.id and its_id:
            begins = bool(name) or one.look()
        elif name and one.name and (one.arguments or one.given):
            begins = name != one.name or (one.look() and arguments.strip() not in _BLANK)
        else:
            begins = False
        if begins:
            return None
        if its_id and not one.id:
            one.id = its_id
            self._known[index, its_id] = one
        return one

    def _begin(self, index: int, its_id: str) -> _Open:
        one = _Open()
        self._waiting.append(one)
        self._last[index] = one
        if its_id:
            one.id = its_id
            self._known[index, its_id] = one
        return one

    def _complete(self, one: _Open) -> list[ToolCall | str]:
        """The call, or the text that it was, or nothing where a piece said nothing."""
        one.given = one.whole = True
        text = "".join(one.arguments)
        one.arguments.clear()
        blank = text.strip() in _BLANK
        if not one.name:
            return [] if blank else [text]
        self._found = True
        arguments: dict[str, object] | None = {} if blank else _object(text)
        if arguments is None:
            return [f'{{"name": {_encode(one.name).decode()}, "arguments": {text}}}']
        index = self._given
        self._given += 1
        return [ToolCall(one.id or self._new_id(), Function(index, one.name, arguments))]

    def _new_id(self) -> str:
        if self._ids is None:
            self._ids = CallIds(self._taken(), self._seed)
        return self._ids.new()


def _said(delta: ToolDelta) -> tuple[str, str]:
    """The name and the arguments of a piece, empty where it has none."""
    function = delta.function
    if function is None:
        return "", ""
    arguments = function.arguments
    if isinstance(arguments, dict):
        return function.name or "", _encode(arguments).decode()
    return function.name or "", arguments or ""


def _object(text: str) -> dict[str, object] | None:
    """The JSON object that a text is, read as Ollama reads it; None when it is none."""
    try:
        return _decode(text)
    except (msgspec.MsgspecError, RecursionError):
        pass
    try:
        return _decode(go_decoding.well_formed(text.encode()))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
