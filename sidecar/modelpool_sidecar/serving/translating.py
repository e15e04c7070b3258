"""vLLM's answers on their way to a caller of Ollama's API: as a stream, or gathered to one document. Pure.

What either keeps of an answer counts among all that is kept of answers at once, see `bounds`. An engine may say much
before a caller can be given any of it: a tool's arguments, thinking that may turn out to be the answer.
"""

from collections.abc import Callable
from typing import Final

from ..dialects import stream_end
from ..dialects.bounds import DEFAULT, Bounds
from ..dialects.dialect import Dialect
from ..http.client.errors import OutOfResources
from ..http.client.response import Enough, Receiver
from ..translation import Reply
from ..translation.replies import TextReply
from .transforms import EOF, Transform

_TOO_MUCH: Final = "too much is kept of answers that are not whole yet"


class Translating(Transform):
    """A stream of vLLM on its way to an Ollama client."""

    def __init__(self, reply: Reply, now_ns: Callable[[], int], bounds: Bounds = DEFAULT) -> None:
        self._reply = reply
        self._text = reply if isinstance(reply, TextReply) else None
        """The same, if it is one of which nothing need be looked up."""
        self._now_ns = now_ns
        self._left = b""
        self._bounds = bounds
        self._kept = 0
        """Bytes that are counted among those of all answers."""
        self._short = False

    def feed(self, chunk: bytes) -> bytes:
        """See `Transform`.

        Raises OutOfResources when too much is kept of all answers, and nothing of this one is out.
        """
        text = self._text
        if text is None:
            return self._reply.feed(chunk, self._now_ns())
        lines = text.feed(chunk, self._now_ns())
        if text.over:
            self._left = lines
            raise Enough
        if text.held != self._kept:
            self._keep(text)
        return lines

    def _keep(self, text: TextReply) -> None:
        """Count what the reply keeps now."""
        bounds = self._bounds
        more = text.held - self._kept
        bounds.kept += more
        self._kept += more
        if more > 0 and bounds.kept > bounds.all_answers_bytes:
            self.let_go()
            bounds.too_many_answers()
            if not text.given:
                raise OutOfResources(_TOO_MUCH)
            self._short = True
            raise Enough

    def let_go(self) -> None:
        """See `Transform`."""
        self._bounds.kept -= self._kept
        self._kept = 0

    def close(self) -> bytes:
        """See `Transform`."""
        if self._short:
            return stream_end.broken(Dialect.OLLAMA, _TOO_MUCH)
        return self._left + self._reply.close(self._now_ns())

    def cut(self, why: str = EOF) -> bytes:
        """See `Transform`. What has gone out are whole lines."""
        if why != EOF:
            return stream_end.broken(Dialect.OLLAMA, why)
        return self._reply.close(self._now_ns())

    @property
    def failed(self) -> bool:
        """See `Transform`."""
        return self._short or self._reply.failed

    @property
    def faulty(self) -> bool:
        """See `Transform`."""
        return self._short or self._reply.failed


class Gathering(Receiver):
    """A stream of vLLM for a caller that wants one document, which the reply keeps."""

    def __init__(self, reply: Reply, now_ns: Callable[[], int], bounds: Bounds) -> None:
        self._reply = reply
        self._now_ns = now_ns
        self._bounds = bounds
        self._kept = 0

    def take(self, piece: bytes, framed: bytes | None) -> None:
        """See `response.Receiver`. Raises EngineError, and OutOfResources when too much is gathered at once."""
        bounds = self._bounds
        self._kept += len(piece)
        bounds.kept += len(piece)
        if bounds.kept > bounds.all_answers_bytes:
            self.close()
            bounds.too_many_answers()
            raise OutOfResources(_TOO_MUCH)
        self._reply.feed(piece, self._now_ns())
        if self._reply.over:
            raise Enough

    def close(self) -> None:
        """The answer is given, or given up: nothing of it is kept any more."""
        self._bounds.kept -= self._kept
        self._kept = 0
