"""When the body of a request is late. Pure, and the same at both doors.

Two bounds: the whole body within `Limits.body_timeout`, and on average `Limits.min_body_rate` bytes a second once the
first seconds are over, so that a byte now and then does not hold a connection. A body that goes to an engine as it
comes has the second alone, because nothing bounds its size.
"""

from typing import Final

from .limits import Limit, Limits

GRACE_SECONDS: Final = 10.0
"""Before this the rate is not looked at: a connection begins slowly, and may lose a packet."""


class Pace:
    """The time that one body takes. Times are those of the event loop, in seconds."""

    __slots__ = ("_limits", "_since", "_waited", "bounded")

    def __init__(self, limits: Limits, since: float) -> None:
        """`since`: when the body could begin to come."""
        self._limits = limits
        self._since = since
        self._waited = 0.0
        self.bounded = True
        """Whether the whole body has a time, and not its pace alone."""

    def waited(self, seconds: float) -> None:
        """Leave out a time in which nothing was taken from the caller: whose fault that was, it was not its own."""
        self._waited += seconds

    def due(self, received: int) -> float:
        """When the body is late, if no more than this has come until then."""
        limits = self._limits
        seconds = max(GRACE_SECONDS, received / limits.min_body_rate)
        if self.bounded and limits.body_timeout < seconds:
            seconds = limits.body_timeout
        return self._since + self._waited + seconds

    def reached(self, received: int) -> Limit:
        """Which limit it is that such a body reaches when it is due."""
        limits = self._limits
        by_rate = max(GRACE_SECONDS, received / limits.min_body_rate)
        return Limit.BODY_SECONDS if self.bounded and limits.body_timeout < by_rate else Limit.BODY_RATE
