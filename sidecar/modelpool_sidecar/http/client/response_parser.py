"""Answers of an engine, out of the bytes of one connection. Sans I/O: llhttp parses, this keeps what it finds.

One reader serves one answer after another; `expect` comes before each. Informational answers are skipped. An answer
with a body that is neither counted nor chunked ends with its connection, and only `end` can tell.

Heads that are known are not parsed. That of a stream gets to the parser only if something comes that is not a whole
chunk.
"""

from functools import lru_cache
from typing import Final

import httptools

from .. import chunked, head_cache
from ..head_cache import KnownHeads
from .response import ResponseHead
from .response_framing import MOST_HEADERS, MalformedResponse, framing, is_informational

HEAD_BYTES: Final = 64 * 1024
"""The longest head that is read; only approximately, because reads are counted whole."""
_CHUNK_END: Final = b"\r\n"
_BODILESS: Final = frozenset({204, 304})
_REMEMBERED: Final = 256
"""Heads that are known again, the least recently seen forgotten first."""


class ResponseParser:
    """Reads the answers of one connection."""

    __deletable__ = ("_parser",)

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._heads = KnownHeads(_whole, _streamed)
        self.framed = False
        """Whether the head says where the body ends."""
        self._cut: list[bytes] = []
        self._fresh: list[tuple[str, str]] = []
        self.parts: list[bytes] = []
        """Pieces of the body that nobody has taken, without their framing."""
        self.expect(only_head=False)

    def expect(self, *, only_head: bool) -> None:
        """The next answer comes. `only_head`: it has no body whatever it says, because HEAD was asked."""
        self._only_head = only_head
        self._read = 0
        self.head: ResponseHead | None = None
        """Once it is whole."""
        self.ended = False
        """Whether the body is whole."""
        self.keep_alive = False
        """Whether the connection may carry another answer, once this one has ended."""
        self.between = False
        """Whether a chunk of the body may begin now, so that `whole_chunks` may be asked first."""
        self._cut = []
        """A chunk of which some bytes are missing."""
        self._missing = 0
        """How many at least."""
        self._unseen = b""
        """A head that was known, so that the parser has not seen it."""
        if self.parts:
            self.parts = []

    def feed(self, data: bytes) -> None:
        """Read on. Raises MalformedAnswer; what was found before the fault is kept."""
        if not self._read and not self._only_head:
            if self._is_whole(data):
                return
            end = data.find(head_cache.END) + len(head_cache.END)
            if len(head_cache.END) <= end:
                if not self._is_streamed(data[:end]):
                    self.parse(data[:end])
                data = data[end:]
        if self.between:
            body, _, data = self.whole_chunks(data)
            if body:
                self.parts.append(body)
        if data:
            self.parse(data)

    def parse(self, data: bytes) -> None:
        """As `feed`, without knowing anything again, for what `whole_chunks` has left or never saw."""
        self._read += len(data)
        if self._unseen:
            if data == chunked.LAST:
                self.ended, self.between, self._unseen = True, False, b""
                return
            data, self._unseen, self.head = self._unseen + data, b"", None
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.keep_alive = False
            if not self.ended:  # what follows a whole answer spoils the connection alone
                raise MalformedResponse(_cause(error)) from error
        # More than the end of a chunk may have come of which the parser has said nothing yet.
        self.between = self.between and data.endswith(_CHUNK_END)
        if self._read > HEAD_BYTES and not self.ended:
            self.keep_alive = False
            raise MalformedResponse(f"the head of the answer is longer than {HEAD_BYTES} bytes")

    def one_chunk(self, data: bytes) -> int:
        """Where the data begins of the one whole chunk that this is, which then is read; 0 if it is anything else."""
        return chunked.begin(data) if self.between and not self._cut else 0

    def whole_chunks(self, data: bytes) -> tuple[bytes, bytes, bytes]:
        """What the whole chunks carry that have come, the chunks themselves, and what is to be parsed.

        A chunk of which some bytes are missing is kept until they come.
        """
        if self._cut:
            self._cut.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return b"", b"", b""
            data, self._cut = b"".join(self._cut), []
        body, end, self._missing = chunked.several(data)
        rest = data[end:]
        if self._missing:
            self._cut, rest = [rest], b""
        return body, data[:end], rest

    def spill(self) -> None:
        """Give up the chunk of which nothing more will come: what is here of it is among the `parts` then."""
        if self._cut:
            data, self._cut = b"".join(self._cut), []
            self.parse(data)

    def _is_whole(self, data: bytes) -> bool:
        """Take an answer that is whole and nothing more, and whose head is known; or nothing."""
        known = self._heads.whole(data)
        if known is None:
            return False
        self.head, end = known
        self._read = end
        self.ended = self.keep_alive = self.framed = True
        if end < len(data):
            self.parts.append(data[end:])
        return True

    def _is_streamed(self, text: bytes) -> bool:
        """Take the head of a stream, if it is known; or nothing."""
        head = self._heads.streamed(text)
        if head is None:
            return False
        self._read = len(text)
        self._unseen, self.head = text, head
        self.framed = self.keep_alive = self.between = True
        return True

    @property
    def untouched(self) -> bool:
        """Whether not one byte of this answer has come."""
        return not self._read

    def end(self) -> None:
        """The connection ended in order. Raises EOFError unless the answer is whole by that."""
        if self.head is not None and not self.framed:
            self.ended = True
        elif not self.ended:
            raise EOFError("the engine closed the connection")

    def taken(self) -> bytes:
        """What of the body has come and was not taken."""
        parts, self.parts = self.parts, []
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def forget(self) -> None:
        """The connection is closed: nothing more will be fed. Parser and reader know each other until then."""
        del self._parser

    # What llhttp calls.

    def on_message_begin(self) -> None:
        """A second answer to one request would be taken for the next one's."""
        if self.ended:
            raise MalformedResponse("the engine sent more than one answer")
        self.framed = False
        self._fresh = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; or one trailer, which nobody reads."""
        if self.head is None:
            if len(self._fresh) >= MOST_HEADERS:
                raise MalformedResponse(f"the head of the answer has more than {MOST_HEADERS} headers")
            self._fresh.append((name.decode("ascii"), value.strip().decode("utf-8", "surrogateescape")))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        status = self._parser.get_status_code()
        if is_informational(status, self._fresh):
            return
        given, self.framed, chunked = framing(self._fresh)
        self.head, self.ended = ResponseHead(status, given), self._only_head
        self.between = chunked and not self._only_head and status not in _BODILESS
        self.keep_alive = not self._only_head and self._parser.should_keep_alive()

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self.between = False

    def on_chunk_complete(self) -> None:
        """A chunk is over."""
        self.between = not self.ended

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        self._read = 1  # what is bounded is what carries nothing: a head, trailers, the extensions of chunks
        self.parts.append(data)

    def on_message_complete(self) -> None:
        """The body is whole; or it was an informational answer, and the real one follows."""
        self.between = False
        self.ended = self.head is not None


def _cause(error: Exception) -> str:
    """The parser's complaint, or ours, which its binding wraps."""
    cause = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else None
    return str(cause or error)


@lru_cache(maxsize=_REMEMBERED)
def _whole(text: bytes) -> ResponseHead | None:
    """The head of an answer with a length, after which its connection lasts, from its bytes with a length of 0."""
    reader = _after(text)
    cached = reader.head is not None and reader.ended and reader.keep_alive and reader.head.status not in _BODILESS
    return reader.head if cached else None


@lru_cache(maxsize=_REMEMBERED)
def _streamed(text: bytes) -> ResponseHead | None:
    """The head of an answer in chunks, after which its connection lasts, from its bytes."""
    reader = _after(text)
    return reader.head if reader.between and reader.keep_alive else None


def _after(head: bytes) -> ResponseParser:
    """A reader that has seen a head, or as much of it as is none."""
    reader = ResponseParser()
    try:
        reader.parse(head)
    except MalformedResponse:
        reader.head, reader.between = None, False
    finally:
        reader.forget()
    return reader
