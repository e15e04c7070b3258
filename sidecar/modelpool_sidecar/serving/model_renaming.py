"""The name of a model on its way back: as the caller asked for it, where an engine serves it under another. Pure."""

from typing import Final

import msgspec

from ..dialects.bounds import USUAL, Bounds
from ..dialects.errors import EngineError
from ..dialects.line_splitter import LineSplitter

_ABORTED: Final = b'"finish_reason":"abort"'


class Naming:
    """The model's name as the engine answers it, and as the caller asked for it. Read-only."""

    __slots__ = ("caller", "engine")

    def __init__(self, *, engine: str, caller: str) -> None:
        self.engine = engine
        self.caller = caller


class Renamer:
    """Puts the asked name in place of the served one: the first `"model"` of each line, as the engines write it."""

    def __init__(self, naming: Naming, bounds: Bounds = USUAL) -> None:
        self._old = b'"model":' + msgspec.json.encode(naming.engine)
        self._new = b'"model":' + msgspec.json.encode(naming.caller)
        self._lines = LineSplitter(cr=False, bounds=bounds)

    def feed(self, chunk: bytes) -> bytes:
        """Whole lines out; the begun one is kept. Raises EngineError when it grows beyond its limit."""
        if self._lines.between and chunk.endswith(b"\n") and chunk.find(b"\n") >= len(chunk) - 2:
            return chunk.replace(self._old, self._new, 1)  # one line and at most an empty one: what engines send
        lines = self._lines.whole(chunk)
        if lines.count(self._old) <= 1:
            return lines.replace(self._old, self._new, 1)
        return b"\n".join([line.replace(self._old, self._new, 1) for line in lines.split(b"\n")])

    def close(self) -> bytes:
        """The last line, when it had no end."""
        return self._lines.close().replace(self._old, self._new, 1)


def whole(body: bytes, engine: str, caller: str) -> bytes:
    """A whole answer in the caller's dialect: the model is named as the caller did, not as the engine does.

    Raises EngineError when the engine gave up before its end.
    """
    if _ABORTED in body:
        raise EngineError("the engine was stopped while it worked on the answer")
    if engine == caller:
        return body
    renamer = Renamer(Naming(engine=engine, caller=caller))
    return renamer.feed(body) + renamer.close()
