"""What the outcomes of attempts say about the engines that were asked. Pure: outcomes and times in, verdicts out.

An attempt that breaks may have broken the engine, or only its own connection: nobody knows before the engine is asked.
So one break makes a suspect, which is asked at once and serves on meanwhile, and only several in a row make it dead
without being asked. A port at which nobody listens needs no second opinion.
"""

from collections.abc import Iterable
from enum import Enum, StrEnum
from typing import Final

from .route_request import RouteRequest

IN_A_ROW: Final = 5
"""Attempts that break one after the other, none answered in between, until an engine counts as dead unasked."""
ROW_SECONDS: Final = 10.0
"""Breaks that lie further apart than this are no row."""
RETURN_SECONDS: Final = 5.0
"""How long an engine that died is worth waiting for: a false alarm is over in milliseconds, a restart in a few seconds.
Who waits longer is better told to come again."""


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


class Outcome:
    """How one attempt ended, before its first byte or after it. Read-only."""

    __slots__ = ("failure", "seconds")

    def __init__(self, failure: Failure | None, *, seconds: float = 0.0) -> None:
        self.failure = failure
        """None for one that was answered as it should be."""
        self.seconds = seconds
        """From when the request had its slot until it was over there."""


class Verdict(Enum):
    """What is to be done about the engine."""

    FINE = "fine"
    SUSPECT = "suspect"
    """Ask it at once; until it has answered it goes on taking requests."""
    DEAD = "dead"
    """It takes no requests until it has answered."""


_BREAKS: Final = frozenset({Failure.UNREACHED, Failure.CLOSED})
_COMPLAINTS: Final = frozenset({Failure.DIED, Failure.STATUS, Failure.FAULT})
"""The engine lives, and says that something is wrong with it."""
_MAYBE_THE_REQUESTS_DOING: Final = frozenset({Failure.CLOSED, Failure.DIED})


def after(wanted: RouteRequest, failure: Failure, url: str) -> RouteRequest:
    """The request that failed at an endpoint, on its way elsewhere."""
    if failure is Failure.REFUSED:
        return wanted.without(refused=url)
    return wanted.without(url=url, broke=failure in _MAYBE_THE_REQUESTS_DOING)


class Health:
    """What is known of engines by the outcomes of attempts and the silence of probes, by their base URLs.

    Times are seconds of one clock.
    """

    def __init__(self) -> None:
        self.breaks: dict[str, tuple[int, float]] = {}
        """Attempts that broke in a row, and when the last one did. Read-only, and the same object for ever."""
        self._suspects: dict[str, int] = {}
        """What is to be asked, and the number of the suspicion, which is higher the later it came."""
        self._suspicions = 0
        self._died: dict[str, float] = {}
        """When each engine died that may be back in a moment."""
        self._silent: set[str] = set()

    def ended(self, url: str, outcome: Outcome, now: float) -> Verdict:
        """Take in how an attempt ended."""
        failure = outcome.failure
        if failure in _COMPLAINTS:
            return Verdict.SUSPECT
        if failure is Failure.REFUSED:
            self.breaks.pop(url, None)
            return Verdict.DEAD
        if failure in _BREAKS:
            length, last = self.breaks.get(url, (0, 0.0))
            length = length + 1 if now - last <= ROW_SECONDS else 1
            self.breaks[url] = length, now
            return Verdict.DEAD if length >= IN_A_ROW else Verdict.SUSPECT
        if failure is not Failure.SHORTAGE:
            self.breaks.pop(url, None)
        return Verdict.FINE

    def suspect(self, url: str) -> None:
        """Note that an engine is to be asked whether it lives."""
        self._suspicions += 1
        self._suspects[url] = self._suspicions

    def suspicion(self, url: str) -> int:
        """The number of the last suspicion of an engine; 0 when there is none."""
        return self._suspects.get(url, 0)

    @property
    def suspects(self) -> frozenset[str]:
        """Engines that are to be asked and have not answered since."""
        return frozenset(self._suspects)

    @property
    def silent(self) -> frozenset[str]:
        """Engines that have answered none of the last probes."""
        return frozenset(self._silent)

    def fell_silent(self, url: str) -> None:
        """Note that several probes in a row got no answer."""
        self._silent.add(url)

    def spoke(self, url: str) -> None:
        """Note that a probe got an answer, be it a bad one."""
        self._silent.discard(url)

    def lives(self, url: str) -> None:
        """Note that a probe was answered well: nothing is held against the engine any longer."""
        self._suspects.pop(url, None)
        self._died.pop(url, None)
        self._silent.discard(url)

    def lost(self, url: str, now: float, *, lived: bool) -> bool:
        """Note that an engine takes no requests, and did until now if it `lived`. Whether it is worth waiting for."""
        if lived:
            self._died[url] = now
        died = self._died.get(url)
        if died is None:
            return False
        if now - died >= RETURN_SECONDS:
            del self._died[url]
            return False
        return True

    def keep(self, urls: Iterable[str]) -> None:
        """Forget all but these engines."""
        kept = set(urls)
        for known in (self.breaks, self._suspects, self._died):
            for gone in known.keys() - kept:
                del known[gone]
        self._silent &= kept
