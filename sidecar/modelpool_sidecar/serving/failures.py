"""How an attempt at an engine failed, and what follows from it: for the engine, and for the request. Pure."""

from enum import StrEnum
from typing import Final

from ..routing.health import Outcome
from ..routing.route_request import RouteRequest


class Failure(StrEnum):
    """How an attempt failed, before the caller saw anything or after that. A closed set: it labels a metric."""

    REFUSED = "refused"
    """Nobody listens there."""
    UNREACHED = "unreached"
    """No connection came about in time."""
    CLOSED = "closed"
    """The connection ended, or was silent for too long, after the request was sent."""
    DIED = "died"
    """The engine said that what does its work has died."""
    STATUS = "status"
    """A status of a server's error."""
    UNAUTHORIZED = "unauthorized"
    """It does not know the gateway's key."""
    BUSY = "busy"
    """A status that says: not now."""
    FAULT = "fault"
    """An error inside the answer, or an answer that is none."""
    NOT_PULLED = "not_pulled"
    SHORTAGE = "shortage"
    """The gateway's own, of descriptors, ports or memory."""


_OUTCOMES: Final = {
    Failure.REFUSED: Outcome.REFUSED,
    Failure.UNREACHED: Outcome.BROKE,
    Failure.CLOSED: Outcome.BROKE,
    Failure.DIED: Outcome.COMPLAINED,
    Failure.STATUS: Outcome.COMPLAINED,
    Failure.UNAUTHORIZED: Outcome.ANSWERED,
    Failure.BUSY: Outcome.ANSWERED,
    Failure.FAULT: Outcome.COMPLAINED,
    Failure.NOT_PULLED: Outcome.ANSWERED,
}
_BREAKS: Final = frozenset({Failure.CLOSED, Failure.DIED})
"""What the request itself may have brought about."""


def outcome(failure: Failure) -> Outcome | None:
    """What a failure says about the engine, if anything."""
    return _OUTCOMES.get(failure)


def after(wanted: RouteRequest, failure: Failure, url: str) -> RouteRequest:
    """The request that failed at an endpoint, on its way elsewhere."""
    if failure is Failure.REFUSED:
        return wanted.without(refused=url)
    return wanted.without(url=url, broke=failure in _BREAKS)
