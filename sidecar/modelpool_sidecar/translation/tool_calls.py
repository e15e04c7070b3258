"""Tool calls put together from the pieces in which vLLM streams them."""

import msgspec

from .engine_chunks import ToolDelta


class Function(msgspec.Struct):
    """Ollama's function of a tool call: the arguments are an object."""

    index: int
    name: str
    arguments: dict[str, object]


class ToolCall(msgspec.Struct):
    """A complete tool call."""

    id: str
    function: Function


class _Open:
    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id = ""
        self.name: list[str] = []
        self.arguments: list[str] = []


class Collector:
    """Collects pieces; a call is complete when the next begins or the answer ends."""

    def __init__(self, *, seed: int) -> None:
        self._seed = seed
        self._open: dict[int, _Open] = {}
        self._given = 0

    def take(self, deltas: list[ToolDelta]) -> list[ToolCall | str]:
        """Add pieces; give the calls that became complete."""
        done: list[ToolCall | str] = []
        for delta in deltas:
            one = self._open.get(delta.index)
            if one is None:
                done += self.finish()
                one = self._open[delta.index] = _Open()
            one.id = delta.id or one.id
            if delta.function is not None:
                if delta.function.name:
                    one.name.append(delta.function.name)
                if delta.function.arguments:
                    one.arguments.append(delta.function.arguments)
        return done

    def finish(self) -> list[ToolCall | str]:
        """The calls still open, now complete. A call whose arguments are no JSON object is given as the text it was."""
        done = [self._complete(one) for one in self._open.values()]
        self._open.clear()
        return done

    def _complete(self, one: _Open) -> ToolCall | str:
        name, text = "".join(one.name), "".join(one.arguments)
        try:
            arguments = msgspec.json.decode(text or "{}", type=dict[str, object])
        except (msgspec.MsgspecError, RecursionError):
            return f'{{"name": {msgspec.json.encode(name).decode()}, "arguments": {text}}}'
        index = self._given
        self._given += 1
        return ToolCall(self._identity(one.id, index), Function(index, name, arguments))

    def _identity(self, engine_id: str, index: int) -> str:
        """Ollama's style of id, from the engine's own where it has one."""
        tail = "".join(character for character in engine_id if character.isalnum())[-8:]
        return f"call_{tail if len(tail) == 8 else f'{(self._seed + index) & 0xFFFFFFFF:08x}'}"
