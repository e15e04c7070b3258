"""What becomes of one answer: an engine's bytes in, the caller's bytes out. Pure: no socket, no clock but arguments.

A carrier raises EngineError as long as it has given nothing out, and the request may then go to another engine; later
it puts the fault into the stream. It raises Enough when the stream is over whatever the engine sends: `close` then says
what is left. `Passthrough` is for engines that speak the caller's dialect, `converted` has those for the others.
"""

from typing import Final

from ..dialects import stream_end
from ..dialects.bounds import DEFAULT, Bounds
from ..dialects.dialect import Dialect
from ..dialects.errors import EngineError
from ..http.client.response import Enough
from .model_renaming import Renamer

_DEAD_AT_FIRST: Final = (b'data: {"error"', b'data:{"error"', b"event: error", b"event:error")
_SPACE: Final = 0x20
_LF: Final = 0x0A
_GRAPHIC: Final = b"!"
"""What begins with white space, or with nothing, is less than this; a stream's end may have come before it."""
_LONG_TAIL: Final = 4 * stream_end.TAIL_BYTES
"""What is kept of a stream's end is cut when it has grown to this: cutting it for every piece is what costs."""
EOF: Final = "the engine's answer broke off"


class Transform:
    """What the relay drives. A class and no protocol: compiled, its methods are called without a look-up."""

    def feed(self, chunk: bytes) -> bytes:
        """Bytes from the engine in, bytes for the caller out."""
        raise NotImplementedError

    def passes(self, chunk: bytes, begin: int) -> bool:
        """Take a whole chunk of HTTP/1.1 that may go on as it is, its data from `begin` on; False: `feed` that data."""
        return False

    def close(self) -> bytes:
        """The engine's body ended: what is left to say, an error included if the end is no end."""
        raise NotImplementedError

    def cut(self, why: str = EOF) -> bytes:
        """The engine's body broke, or was cut off: what to say so that the caller sees it."""
        raise NotImplementedError

    def finished(self) -> bool:
        """Whether what has come ends as such a stream ends. Asked when no more has come for a while."""
        return False

    def let_go(self) -> None:
        """The stream is over, or given up: nothing of it is kept any more."""

    @property
    def failed(self) -> bool:
        """Whether the caller has been told of an error in the stream."""
        return False

    @property
    def faulty(self) -> bool:
        """Whether there was an error in the stream, be it that the engine has told of it in the caller's own words."""
        return self.failed


class Passthrough(Transform):
    """A stream in the caller's own dialect. Only a differing model name is replaced, once per line or event."""

    def __init__(
        self, dialect: Dialect, engine: str, asked: str, bounds: Bounds = DEFAULT, *, framed: bool = False
    ) -> None:
        """`engine` and `asked`: see `Renamer`. `framed`: the body says itself where it ends, and breaks off if not."""
        self._dialect = dialect
        self._ends_itself = framed and dialect is Dialect.OLLAMA
        """Whether the body's end is the stream's. Ollama ends some without a last line, as where a token came too often
        in a row, and says in a line of its own that a runner died. Of events it says nothing, and ends them as well."""
        self._rename = None if engine == asked else Renamer(engine, asked, bounds)
        # A line or event that was begun must end before an error can be read.
        self._boundary = b"\n" if dialect is Dialect.OLLAMA else b"\n\n"
        self._by_line = dialect is Dialect.OLLAMA
        self._last = b""
        self._begin = self._end = 0
        """What of `_last` counts: the rest is framing."""
        self._even = False
        """Whether that ended with its line or event."""
        self._before: list[bytes] = []
        self._size = 0
        self._fault: EngineError | None = None
        self._failed = self._faulty = self._given = self._refused = False

    @property
    def failed(self) -> bool:
        """See `Transform`."""
        return self._failed

    @property
    def faulty(self) -> bool:
        """See `Transform`."""
        return self._failed or self._faulty

    def feed(self, chunk: bytes) -> bytes:
        """See `Transform`."""
        last = self._last
        if not last:
            if chunk.startswith(_DEAD_AT_FIRST):
                if not stream_end.is_refusal(chunk):
                    raise EngineError(chunk[:512].decode(errors="replace"))
                self._refused = True
        elif chunk < _GRAPHIC or not self._even:
            self._keep(last[self._begin : self._end])
        elif self._size:
            self._before, self._size = [], 0
        self._last = last = chunk if len(chunk) <= _LONG_TAIL else chunk[-stream_end.TAIL_BYTES :]
        self._begin, self._end = 0, len(last)
        self._even = last.endswith(self._boundary)
        return chunk if self._rename is None else self._renamed(self._rename, chunk)

    def _renamed(self, rename: Renamer, chunk: bytes) -> bytes:
        try:
            renamed = rename.feed(chunk)
        except EngineError as fault:
            if not self._given:
                raise
            self._fault = fault
            raise Enough from fault
        self._given = self._given or bool(renamed)
        return renamed

    def passes(self, chunk: bytes, begin: int) -> bool:
        """See `Transform`.

        A whole event, or several, behind whole ones: as `feed`, but nothing is made of the bytes.
        """
        end = len(chunk) - 2
        if not self._even or self._size or self._rename is not None or chunk[begin] <= _SPACE or end > _LONG_TAIL:
            return False
        self._last, self._begin, self._end = chunk, begin, end
        self._even = chunk[end - 1] == _LF and (self._by_line or chunk[end - 2] == _LF)
        return True

    def _keep(self, last: bytes) -> None:
        """Keep what came before, as far as the stream's end may lie in it."""
        self._before.append(last)
        self._size += len(last)
        if self._size > _LONG_TAIL:
            self._before = [b"".join(self._before)[-stream_end.TAIL_BYTES :]]
            self._size = len(self._before[0])

    def close(self) -> bytes:
        """See `Transform`."""
        if self._fault is not None:  # of the line that was too long, the caller has seen nothing
            self._failed = True
            gap = b"" if self._by_line else self._boundary
            return gap + stream_end.broken(self._dialect, self._fault.message)
        if not self._last:
            raise EngineError("the engine's answer was empty")
        tail = self._tail()
        if not (self._ends_itself or stream_end.is_whole(self._dialect, tail)):
            return self.cut()
        self._faulty = not self._refused and stream_end.is_error(self._dialect, tail)
        return b"" if self._rename is None else self._rename.close()

    def cut(self, why: str = EOF) -> bytes:
        """See `Transform`."""
        if not self._last:
            raise EngineError(EOF)
        rest = b""
        if self._rename is not None:
            if not self._given:
                raise EngineError(EOF)
            rest = self._rename.close()
        self._failed = True
        gap = b"" if self._tail().endswith(self._boundary) else self._boundary
        return rest + gap + stream_end.broken(self._dialect, why)

    def finished(self) -> bool:
        """See `Transform`."""
        return bool(self._last) and stream_end.is_whole(self._dialect, self._tail())

    def _tail(self) -> bytes:
        """The end of what has passed."""
        return b"".join((*self._before, self._last[self._begin : self._end]))[-stream_end.TAIL_BYTES :]


class Opaque(Transform):
    """Bytes of which nothing is known: a broken end can only be shown by breaking off."""

    def __init__(self, *, delimited: bool = False) -> None:
        """`delimited`: it is a JSON document, and nothing but its end shows that it is whole."""
        self._failed = False
        self._delimited = delimited
        self._last = b""

    @property
    def failed(self) -> bool:
        """See `Transform`."""
        return self._failed

    def feed(self, chunk: bytes) -> bytes:
        """See `Transform`."""
        if self._delimited and not chunk.isspace():
            self._last = chunk
        return chunk

    def close(self) -> bytes:
        """See `Transform`."""
        self._failed = self._delimited and not self._last.rstrip().endswith((b"}", b"]"))
        return b""

    def cut(self, why: str = EOF) -> bytes:
        """See `Transform`."""
        self._failed = True
        return b""
