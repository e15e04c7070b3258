"""What a model says and thinks, piece by piece, on its way to a delivery.

What its engine takes for thinking although thinking was switched off is held, because it may turn out to be the answer
itself. As Ollama does, white space around thinking is cut.
"""

from collections.abc import Callable, Sequence

from ..dialects.errors import EngineError
from . import engine_errors
from .delivery import Delivery
from .engine_chunks import ToolDelta
from .exchange import ToolCall
from .tool_calls import ToolCalls


class MessageAssembler:
    """The text, the thinking and the calls of one answer."""

    def __init__(self, to: Delivery, *, may_think: bool, ids: Callable[[], set[str]], seed: int) -> None:
        """`ids` and `seed`: see `ToolCalls`."""
        self._to = to
        self._ids = ids
        self._seed = seed
        self._calls: ToolCalls | None = None
        self._withheld: list[str] | None = None if may_think else []
        self._thinks = False
        """Whether anything was thought but white space."""
        self._thought = False
        """Whether what came last was thinking."""
        self._thought_space: list[str] = []
        self.first_ns: int | None = None
        """When the first piece came."""

    @property
    def plain(self) -> bool:
        """Whether text may go past it: it has begun, and what comes next depends on nothing before."""
        return self.first_ns is not None and not self._thought and self._withheld is None and self._to.plain

    def begin(self, now_ns: int) -> None:
        """Something has come."""
        if self.first_ns is None:
            self.first_ns = now_ns

    def hear(self, texts: Sequence[str], thought: bool, now_ns: int) -> None:
        """Take texts that came alone, none of them empty."""
        if thought or self._thought or self._withheld is not None or self.first_ns is None:
            for text in texts:
                (self.think if thought else self.say)(text, now_ns)
        elif texts:
            self._to.texts(texts, now_ns)

    def say(self, text: str, now_ns: int) -> None:
        """Some of the answer, not empty."""
        self.begin(now_ns)
        self._release(now_ns)
        if self._thought:
            text = text.lstrip()
            if not text:
                return
            self._thought = False
            self._thought_space = []
        self._to.text(text, now_ns)

    def think(self, text: str, now_ns: int) -> None:
        """Some thinking, not empty."""
        self.begin(now_ns)
        if self._withheld is not None:
            self._withheld.append(text)
            return
        self._thought = True
        if not self._thinks:
            text = text.lstrip()
            self._thinks = text != ""
        kept = text.rstrip()
        if kept:
            self._to.thinking("".join((*self._thought_space, kept)), now_ns)
            self._thought_space = []
        if len(kept) < len(text):
            self._thought_space.append(text[len(kept) :])

    def call(self, deltas: list[ToolDelta], now_ns: int, *, whole: bool) -> None:
        """Pieces of calls, or whole ones."""
        self.begin(now_ns)
        if self._calls is None:
            self._calls = ToolCalls(taken=self._ids, seed=self._seed)
        self._give(self._calls.take(deltas, whole=whole), now_ns)

    def end_calls(self, reason: str, now_ns: int) -> None:
        """The engine ended the answer for this reason. Raises EngineError where it is a call, and there was none."""
        if self._calls is not None:
            self._give(self._calls.finish(reason), now_ns)
        elif reason == "tool_calls":
            raise EngineError(engine_errors.NO_CALL)

    def _give(self, calls: list[ToolCall | str], now_ns: int) -> None:
        """Calls that are whole, and what was taken for one and is text."""
        for call in calls:
            if isinstance(call, str):
                self.say(call, now_ns)
            else:
                self._release(now_ns)
                self._to.call(call, now_ns)

    def finish(self, now_ns: int) -> None:
        """No more will come."""
        if self._withheld:  # nothing but "thinking" came, with thinking off: it was the answer
            withheld, self._withheld = "".join(self._withheld), None
            self.say(withheld, now_ns)

    def _release(self, now_ns: int) -> None:
        """Content has come, so what was withheld was thinking after all."""
        if self._withheld is not None:
            withheld, self._withheld = "".join(self._withheld), None
            if withheld:
                self.think(withheld, now_ns)
