"""Where the end of a request is entered: one small object for all that its series are told apart by.

Of models that are asked in turn each has its own, and what a request finds cold is what it costs. So a request like the
one before, whose times fall into the same buckets, is only counted here; the series hear of it when another kind of
request comes, or when somebody looks at them.
"""

from typing import Final

from .series import Count, Spread

_NEVER: Final = -1


class RequestSeries:
    """Some requests of one model, answered in one way. `settle` before the series are read."""

    __slots__ = (
        "_above", "_alike", "_answered", "_at_most", "_duration", "_first", "_first_above", "_first_at_most",
        "_first_byte", "_queue", "_total", "backend", "code", "dialect", "model", "route",
    )  # fmt: skip

    def __init__(
        self, values: tuple[str, ...], answered: Count, duration: Spread, first_byte: Spread, queue: Spread
    ) -> None:
        """`values`: the labels of `answered`."""
        # What is looked at for every request comes first: the fields lie in memory in this order.
        _, self.model, self.backend, self.dialect, self.code, self.route = values
        self._alike = 0
        """Requests that the series have not heard of, all between these bounds. In nanoseconds:"""
        self._above = self._first_above = 0
        self._at_most = self._first_at_most = _NEVER
        self._total = self._first = 0
        self._answered = answered
        self._duration = duration
        self._first_byte = first_byte
        self._queue = queue

    def enter(self, duration_ns: int, first_byte_ns: int, queue_ns: int) -> None:
        """Enter a request; `first_byte_ns`: below 0 when nothing was sent."""
        if (
            self._above < duration_ns <= self._at_most
            and self._first_above < first_byte_ns <= self._first_at_most
            and queue_ns == 0
        ):
            self._alike += 1
            self._total += duration_ns
            self._first += first_byte_ns
            return
        self.settle()
        self._answered.value += 1
        self._queue.observe(queue_ns)
        self._duration.observe(duration_ns)
        self._above, self._at_most = self._duration.bucket(duration_ns)
        if first_byte_ns >= 0:
            self._first_byte.observe(first_byte_ns)
            self._first_above, self._first_at_most = self._first_byte.bucket(first_byte_ns)

    def settle(self) -> None:
        """Tell the series."""
        alike = self._alike
        if alike:
            self._answered.value += alike
            self._duration.enter(self._at_most, alike, self._total)
            self._first_byte.enter(self._first_at_most, alike, self._first)
            self._queue.enter(0, alike, 0)
            self._alike = self._total = self._first = 0
