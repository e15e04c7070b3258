"""When the body of a request is late. Pure, and the same for both protocols.

Two bounds: the whole body within `Limits.body_timeout`, and on average `Limits.min_body_rate` bytes a second once the
first seconds are over, so that a byte now and then does not hold a connection. A body that goes to an engine as it
comes has the second alone, because nothing bounds its size.
"""

from typing import Final

from ..limits import Limit, Limits

GRACE_SECONDS: Final = 10.0
"""Before this the rate is not looked at: a connection begins slowly, and may lose a packet."""


class Pace:
    """The time that one body takes. Times are those of the event loop, in seconds."""

    __slots__ = ("_held_since", "_limits", "_since", "bounded", "held")

    def __init__(self, limits: Limits, since: float) -> None:
        """`since`: when the body could begin to come."""
        self._limits = limits
        self._since = since
        self._held_since = 0.0
        self.held = False
        """Whether nothing is taken from the caller."""
        self.bounded = True
        """Whether the whole body has a time, and not its pace alone."""

    def hold(self, now: float) -> None:
        """Nothing is taken from the caller from now on: whose fault that is, it is not its own."""
        if not self.held:
            self.held, self._held_since = True, now

    def go_on(self, now: float) -> None:
        """Something is taken again."""
        if self.held:
            self.held = False
            self._since += now - self._held_since

    def due(self, received: int, now: float) -> float:
        """When the body is late, if no more than this has come until then."""
        limits = self._limits
        seconds = max(GRACE_SECONDS, received / limits.min_body_rate)
        if self.bounded and limits.body_timeout < seconds:
            seconds = limits.body_timeout
        return self._since + seconds + (now - self._held_since if self.held else 0.0)

    def reached(self, received: int) -> Limit:
        """Which limit it is that such a body reaches when it is due."""
        limits = self._limits
        by_rate = max(GRACE_SECONDS, received / limits.min_body_rate)
        return Limit.BODY_SECONDS if self.bounded and limits.body_timeout < by_rate else Limit.BODY_RATE
