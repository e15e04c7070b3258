"""Two ways to give an answer to its caller: line by line as it grows, or at once when it is whole.

Both take the same pieces, so that `replies` need not know which it serves.
"""

from collections.abc import Sequence

from .engine_chunks import TokenLogprob
from .exchange import ToolCall, Usage
from .ollama_lines import Lines


class Delivery:
    """Takes pieces of an answer in their order. A class and no protocol: compiled, nothing of it is looked up."""

    @property
    def plain(self) -> bool:
        """Whether lines of text may go past it: it writes lines, and holds nothing that comes before them."""
        return False

    def logprobs(self, found: Sequence[TokenLogprob]) -> None:
        """Probabilities that belong to the next piece."""
        raise NotImplementedError

    def text(self, text: str, now_ns: int) -> None:
        """A piece of the answer."""
        raise NotImplementedError

    def texts(self, texts: Sequence[str], now_ns: int) -> None:
        """Several pieces of the answer at once, none of them empty."""
        raise NotImplementedError

    def thinking(self, text: str, now_ns: int) -> None:
        """A piece of what was thought before it."""
        raise NotImplementedError

    def call(self, call: ToolCall, now_ns: int) -> None:
        """A complete tool call."""
        raise NotImplementedError

    def end(self, now_ns: int, *, done_reason: str, first_ns: int | None, usage: Usage | None) -> None:
        """The answer is whole."""
        raise NotImplementedError

    def flush(self) -> bytes:
        """What has become ready for the caller since the last time."""
        raise NotImplementedError


class LineByLine(Delivery):
    """For the caller of a stream: a piece is a line."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._out: list[bytes] = []
        self._logprobs: list[TokenLogprob] = []

    @property
    def plain(self) -> bool:
        """See `Delivery`."""
        return not self._out and not self._logprobs

    def logprobs(self, found: Sequence[TokenLogprob]) -> None:
        """See `Delivery`."""
        self._logprobs += found

    def text(self, text: str, now_ns: int) -> None:
        """See `Delivery`."""
        if self._logprobs:
            self._out.append(self._lines.piece(now_ns, content=text, logprobs=self._taken()))
        else:
            self._out.append(self._lines.texts((text,), now_ns))

    def texts(self, texts: Sequence[str], now_ns: int) -> None:
        """See `Delivery`."""
        if self._logprobs:
            self.text(texts[0], now_ns)
            texts = texts[1:]
        if texts:
            self._out.append(self._lines.texts(texts, now_ns))

    def thinking(self, text: str, now_ns: int) -> None:
        """See `Delivery`."""
        self._out.append(self._lines.piece(now_ns, thinking=text, logprobs=self._taken()))

    def call(self, call: ToolCall, now_ns: int) -> None:
        """See `Delivery`."""
        self._out.append(self._lines.piece(now_ns, calls=(call,), logprobs=self._taken()))

    def end(self, now_ns: int, *, done_reason: str, first_ns: int | None, usage: Usage | None) -> None:
        """See `Delivery`."""
        logprobs = self._taken()
        last = self._lines.last(now_ns, done_reason=done_reason, first_ns=first_ns, usage=usage, logprobs=logprobs)
        self._out.append(last)

    def flush(self) -> bytes:
        """See `Delivery`."""
        if not self._out:
            return b""
        out = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        return out

    def _taken(self) -> list[TokenLogprob]:
        taken, self._logprobs = self._logprobs, []
        return taken


class AtOnce(Delivery):
    """For the caller of one document: all pieces in one."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._calls: list[ToolCall] = []
        self._logprobs: list[TokenLogprob] = []
        self._document = b""

    def logprobs(self, found: Sequence[TokenLogprob]) -> None:
        """See `Delivery`."""
        self._logprobs += found

    def text(self, text: str, now_ns: int) -> None:
        """See `Delivery`."""
        self._text.append(text)

    def texts(self, texts: Sequence[str], now_ns: int) -> None:
        """See `Delivery`."""
        self._text += texts

    def thinking(self, text: str, now_ns: int) -> None:
        """See `Delivery`."""
        self._thinking.append(text)

    def call(self, call: ToolCall, now_ns: int) -> None:
        """See `Delivery`."""
        self._calls.append(call)

    def end(self, now_ns: int, *, done_reason: str, first_ns: int | None, usage: Usage | None) -> None:
        """See `Delivery`."""
        line = self._lines.last(
            now_ns,
            done_reason=done_reason,
            first_ns=first_ns,
            usage=usage,
            content="".join(self._text),
            thinking="".join(self._thinking),
            calls=self._calls,
            logprobs=self._logprobs,
        )
        self._document = line.removesuffix(b"\n")

    def flush(self) -> bytes:
        """See `Delivery`."""
        document, self._document = self._document, b""
        return document
