"""Answers of an engine, out of the bytes of one connection. Sans I/O: llhttp parses, this keeps what it finds.

One reader serves one answer after another; `expect` comes before each. Informational answers are skipped. An answer
with a body that is neither counted nor chunked ends with its connection, and only `end` can tell.
"""

from typing import Final

import httptools

from .upstream import Headers

HEAD_BYTES: Final = 64 * 1024
"""The longest head that is read; only approximately, because reads are counted whole."""
_FRAMES: Final = frozenset({"content-length", "transfer-encoding"})
_INFORMATIONAL: Final = 200
_SWITCHING: Final = 101


class MalformedAnswer(ValueError):  # noqa: N818 -- named for what came
    """The engine does not speak HTTP, or not as it may."""


class AnswerReader:
    """Reads the answers of one connection."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.expect(only_head=False)

    def expect(self, *, only_head: bool) -> None:
        """The next answer comes. `only_head`: it has no body whatever it says, because HEAD was asked."""
        self._only_head = only_head
        self._framed = False
        self._read = 0
        self._fresh: list[tuple[str, str]] = []
        self.here = False
        """Whether the head is whole."""
        self.ended = False
        """Whether the body is whole."""
        self.lasting = False
        """Whether the connection may carry another answer, once this one has ended."""
        self.status = 0
        self.headers: Headers = ()
        self.parts: list[bytes] = []
        """Pieces of the body that nobody has taken, without their framing."""

    def feed(self, data: bytes) -> None:
        """Read on. Raises MalformedAnswer; what was found before the fault is kept."""
        self._read += 0 if self.here else len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.lasting = False
            if not self.ended:  # what follows a whole answer spoils the connection alone
                raise MalformedAnswer(_cause(error)) from error
        if not self.here and self._read > HEAD_BYTES:
            raise MalformedAnswer(f"the head of the answer is longer than {HEAD_BYTES} bytes")

    @property
    def untouched(self) -> bool:
        """Whether not one byte of this answer has come."""
        return not self._read

    def end(self) -> None:
        """The connection ended in order. Raises EOFError unless the answer is whole by that."""
        if self.here and not self._framed:
            self.ended = True
        elif not self.ended:
            raise EOFError("the engine closed the connection")

    def taken(self) -> bytes:
        """What of the body has come and was not taken; there must be some."""
        data = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        self.parts.clear()
        return data

    def forget(self) -> None:
        """The connection is closed: nothing more will be fed. Parser and reader know each other until then."""
        del self._parser

    # What llhttp calls.

    def on_message_begin(self) -> None:
        """A second answer to one request would be taken for the next one's."""
        if self.ended:
            raise MalformedAnswer("the engine sent more than one answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; or one trailer, which nobody reads."""
        if not self.here:
            self._fresh.append((name.decode("ascii"), value.strip().decode("utf-8", "surrogateescape")))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        status = self._parser.get_status_code()
        if status < _INFORMATIONAL:
            if status == _SWITCHING:
                raise MalformedAnswer("the engine switched protocols unasked")
            self._fresh = []
            return
        for name, value in self._fresh:
            key = name.lower()
            if key == "transfer-encoding" and (self._framed or value.lower() != "chunked"):
                raise MalformedAnswer(f"the engine used the transfer coding {value!r}")
            self._framed = self._framed or key in _FRAMES
        self.status, self.headers = status, self._fresh
        self.here, self.ended = True, self._only_head
        self.lasting = not self._only_head and self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        self.parts.append(data)

    def on_message_complete(self) -> None:
        """The body is whole; or it was an informational answer, and the real one follows."""
        self.ended = self.here


def told(error: BaseException) -> str:
    """An error as one line of a log."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _cause(error: Exception) -> str:
    """The parser's complaint, or ours, which its binding wraps."""
    cause = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else None
    return str(cause or error)
