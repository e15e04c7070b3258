"""An answer that the gateway ends itself, at stop strings of which the engine was not told."""

from collections.abc import Callable, Sequence

from ..dialects.bounds import DEFAULT, Bounds
from ..dialects.dialect import Operation
from .exchange import Timings
from .message_assembler import MessageAssembler
from .replies import PATTERNS, TextReply
from .stops import StoppingDelivery


class StoppingReply(TextReply):
    """See `replies.TextReply`. Every piece is looked at, so none of them takes the short way."""

    def __init__(
        self,
        *,
        model: str,
        operation: Operation,
        stream: bool,
        thinking: bool | None,
        timings: Timings,
        stops: Sequence[str],
        bounds: Bounds = DEFAULT,
        ids: Callable[[], set[str]] = set,
    ) -> None:
        super().__init__(
            model=model, operation=operation, stream=stream, thinking=thinking, timings=timings, bounds=bounds, ids=ids
        )
        self._stopping = StoppingDelivery(self._to, stops)
        self._to = self._stopping
        self._said = MessageAssembler(self._to, may_think=thinking is not False, ids=ids, seed=timings.epoch_ns)
        self._patterns = PATTERNS  # no event goes past `_event`
        self.cut_short = False
        """Whether it is over although the engine has more to say."""

    def _event(self, data: bytes, now_ns: int) -> None:
        if self._stopping.met:
            return
        super()._event(data, now_ns)
        if self._stopping.met and not self.over:
            self.over = self.cut_short = True
            if self._stream:
                self._deliver(now_ns)
