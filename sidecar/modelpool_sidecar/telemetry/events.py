"""What happens to requests, for whoever counts, logs or traces it.

`serving` tells of it through `Events`; a subscriber is a `Listener` that overrides what it wants to hear.
"""

from collections.abc import Iterable
from typing import Final

UNKNOWN: Final = "unknown"
"""The label of a model that no table knows, so that callers cannot make up series."""


class RequestFacts:
    """What is known of one request so far. Times are nanoseconds of one monotonic clock, 0 as long as unknown."""

    def __init__(self, *, request_id: str, method: str, path: str, dialect: str, caller: str, started_ns: int) -> None:
        self.request_id = request_id
        self.method = method
        self.path = path
        self.dialect = dialect
        self.caller = caller
        """A digest or a product, never a key."""
        self.started_ns = started_ns
        self.first_byte_ns = 0
        """When the first byte went to the caller."""
        self.ended_ns = 0
        self.queue_ns = 0
        """How long it waited for a free slot."""
        self.attempts = 0
        self.sent = 0
        """Bytes of the answer's body."""
        self.status = 0
        self.target: object = None
        """Where it was sent last: the same object for requests that are alike, so that it may be a key."""
        self.model = UNKNOWN
        self.pool = ""
        self.backend = ""
        self.route = ""
        self.skipped = ""
        """Why the first backend was passed over, where it was."""
        self.error = ""


class Listener:
    """Hears of requests. What it does must be done at once, and raise nothing."""

    def request_began(self, facts: RequestFacts) -> None:
        """A request came that is not for one of the gateway's own pages."""

    def attempt_began(self, facts: RequestFacts) -> None:
        """A request is sent to an engine."""

    def attempt_ended(self, facts: RequestFacts, failure: str) -> None:
        """An engine answered, or failed in a way that is named; empty where it did not."""

    def refitted(self, facts: RequestFacts, how: str) -> None:
        """An engine refused a request for its length, and is asked again: with a part of it, or without a bound."""

    def first_byte(self, facts: RequestFacts) -> None:
        """The first byte of an answer goes to the caller."""

    def request_ended(self, facts: RequestFacts) -> None:
        """A request was answered, or its caller has left."""


class Events:
    """Tells each listener what it listens to."""

    def __init__(self, listeners: Iterable[Listener]) -> None:
        hearing = tuple(listeners)
        self._began = tuple(one for one in hearing if _hears(one, "request_began"))
        self._attempt_began = tuple(one for one in hearing if _hears(one, "attempt_began"))
        self._attempt_ended = tuple(one for one in hearing if _hears(one, "attempt_ended"))
        self._refitted = tuple(one for one in hearing if _hears(one, "refitted"))
        self._first_byte = tuple(one for one in hearing if _hears(one, "first_byte"))
        self._ended = tuple(one for one in hearing if _hears(one, "request_ended"))

    def request_began(self, facts: RequestFacts) -> None:
        """See `Listener`."""
        for one in self._began:
            one.request_began(facts)

    def attempt_began(self, facts: RequestFacts) -> None:
        """See `Listener`."""
        for one in self._attempt_began:
            one.attempt_began(facts)

    def attempt_ended(self, facts: RequestFacts, failure: str) -> None:
        """See `Listener`."""
        for one in self._attempt_ended:
            one.attempt_ended(facts, failure)

    def refitted(self, facts: RequestFacts, how: str) -> None:
        """See `Listener`."""
        for one in self._refitted:
            one.refitted(facts, how)

    def first_byte(self, facts: RequestFacts) -> None:
        """See `Listener`."""
        for one in self._first_byte:
            one.first_byte(facts)

    def request_ended(self, facts: RequestFacts) -> None:
        """See `Listener`."""
        for one in self._ended:
            one.request_ended(facts)


def _hears(listener: Listener, event: str) -> bool:
    return getattr(type(listener), event) is not getattr(Listener, event)
