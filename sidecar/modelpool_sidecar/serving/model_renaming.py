"""The name of a model in an answer: as the caller asked for it, where an engine serves it under another. Pure."""

from typing import Final

import msgspec

from ..dialects.bounds import DEFAULT, Bounds
from ..dialects.errors import EngineError
from ..dialects.sse import LineSplitter

_ABORTED: Final = b'"finish_reason":"abort"'


class Renamer:
    """Puts the asked name in place of the served one: the first `"model"` of each line, as the engines write it."""

    def __init__(self, engine: str, asked: str, bounds: Bounds = DEFAULT) -> None:
        """`engine`: the model's name as the engine answers it. `asked`: as the caller asked for it."""
        self._old = b'"model":' + msgspec.json.encode(engine)
        self._new = b'"model":' + msgspec.json.encode(asked)
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


def whole(body: bytes, engine: str, asked: str) -> bytes:
    """A whole answer in the caller's dialect: the model is named as the caller did, not as the engine does.

    Raises EngineError when the engine gave up before its end.
    """
    if _ABORTED in body:
        raise EngineError("the engine was stopped while it worked on the answer")
    if engine == asked:
        return body
    renamer = Renamer(engine, asked)
    return renamer.feed(body) + renamer.close()
