"""Stop strings that the gateway looks for itself, because they are more than the engine takes.

A text ends before the first place at which one of them begins, wherever the engine cuts it into pieces. What may be
the beginning of one is held back until it is clear.
"""

from collections.abc import Sequence
from typing import Final

from ..http.errors import BadRequestError
from .delivery import Delivery
from .engine_chunks import TokenLogprob
from .exchange import ToolCall, Usage

ENGINE_TAKES: Final = 4
"""Stop strings in one request to vLLM, unless its VLLM_MAX_STOP_STRINGS says otherwise."""
MOST: Final = 1024
"""Each is looked for in each piece of the answer."""


def checked(stops: Sequence[str]) -> Sequence[str]:
    """The same. Raises BadRequestError when they are too many to be looked for."""
    if len(stops) > MOST:
        raise BadRequestError(f'option "stop" holds more than {MOST} strings')
    return stops


class StopSearch:
    """Looks for several strings in one text that comes in pieces."""

    def __init__(self, stops: Sequence[str]) -> None:
        """None of them is empty."""
        self._stops = list(dict.fromkeys(stops))
        self._longest = max(map(len, self._stops))
        self._firsts = frozenset([stop[0] for stop in self._stops])
        self._held = ""
        self.met = False
        """Whether one of them was found: what comes then is not of the text."""

    def take(self, piece: str) -> str:
        """What is sure to be of the text, of this piece and of what was held back."""
        text = self._held + piece
        found = self._found(text)
        begun = self._begun(text, len(text) if found < 0 else found)
        if begun >= 0:
            self._held = text[begun:]
            return text[:begun]
        self._held = ""
        if found < 0:
            return text
        self.met = True
        return text[:found]

    def rest(self) -> str:
        """The text has ended: what was held back of it."""
        text, self._held = self._held, ""
        found = self._found(text)
        if found < 0:
            return text
        self.met = True
        return text[:found]

    def _found(self, text: str) -> int:
        """Where the first of them begins; -1 where none does."""
        first = -1
        for stop in self._stops:
            place = text.find(stop) if first < 0 else text.find(stop, 0, first + len(stop) - 1)
            if place >= 0:
                first = place
        return first

    def _begun(self, text: str, end: int) -> int:
        """Where, before `end`, one begins of which the text holds only a part; -1 where none does."""
        for place in range(max(0, len(text) - self._longest + 1), end):
            if text[place] in self._firsts:
                tail = text[place:]
                for stop in self._stops:
                    if stop.startswith(tail):
                        return place
        return -1


class StoppingDelivery(Delivery):
    """Gives an answer on to another delivery, up to a stop string in its text or in its thinking."""

    def __init__(self, to: Delivery, stops: Sequence[str]) -> None:
        self._to = to
        self._thinking = StopSearch(stops)
        self._text = StopSearch(stops)
        self._logprobs: list[TokenLogprob] = []
        self.met = False
        """Whether the answer is over, whatever the engine goes on to say."""

    def logprobs(self, found: Sequence[TokenLogprob]) -> None:
        """See `Delivery`."""
        self._logprobs += found

    def text(self, text: str, now_ns: int) -> None:
        """See `Delivery`."""
        self._settle_thinking(now_ns)
        if self.met:
            return
        shown = self._text.take(text)
        self.met = self._text.met
        if shown:
            self._give_logprobs()
            self._to.text(shown, now_ns)

    def texts(self, texts: Sequence[str], now_ns: int) -> None:
        """See `Delivery`."""
        for text in texts:
            self.text(text, now_ns)

    def thinking(self, text: str, now_ns: int) -> None:
        """See `Delivery`."""
        self._settle_text(now_ns)
        if self.met:
            return
        shown = self._thinking.take(text)
        self.met = self._thinking.met
        if shown:
            self._give_logprobs()
            self._to.thinking(shown, now_ns)

    def call(self, call: ToolCall, now_ns: int) -> None:
        """See `Delivery`."""
        self._settle(now_ns)
        if not self.met:
            self._give_logprobs()
            self._to.call(call, now_ns)

    def end(self, now_ns: int, *, done_reason: str, first_ns: int | None, usage: Usage | None) -> None:
        """See `Delivery`."""
        self._settle(now_ns)
        if self.met:
            done_reason = "stop"
        else:
            self._give_logprobs()
        self._to.end(now_ns, done_reason=done_reason, first_ns=first_ns, usage=usage)

    def flush(self) -> bytes:
        """See `Delivery`."""
        return self._to.flush()

    def _settle(self, now_ns: int) -> None:
        """What was held back is no beginning of a stop string: something else comes, or nothing."""
        self._settle_thinking(now_ns)
        self._settle_text(now_ns)

    def _settle_thinking(self, now_ns: int) -> None:
        if not self.met and (rest := self._thinking.rest()):
            self._to.thinking(rest, now_ns)
        self.met = self.met or self._thinking.met

    def _settle_text(self, now_ns: int) -> None:
        if not self.met and (rest := self._text.rest()):
            self._to.text(rest, now_ns)
        self.met = self.met or self._text.met

    def _give_logprobs(self) -> None:
        if self._logprobs:
            self._to.logprobs(self._logprobs)
            self._logprobs = []
