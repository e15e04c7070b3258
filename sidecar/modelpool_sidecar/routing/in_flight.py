"""Requests under way: by endpoint for choosing, by model for who asks how many there are.

The only mutable state of routing. One event loop owns it, so there are no locks. `serving.admission` takes and gives
back; `choose` reads it as Loads, `demand` by model.
"""

from collections import Counter
from typing import Final

from .choose import Target
from .fair_queue import FairQueue
from .table import BackendKey

NEVER: Final = float("-inf")
"""A time before all others."""


class Tally:
    """What is counted of one model: whoever is served keeps it at hand, so that few requests have to look for it."""

    __slots__ = ("last", "pending", "present")

    def __init__(self) -> None:
        self.present = 0
        self.pending = 0
        self.last = NEVER

    def served(self, now: float) -> None:
        """A request came, and is at an engine at once."""
        self.present += 1
        self.last = now

    def left(self, now: float) -> None:
        """A request that was at an engine is over."""
        self.present -= 1
        self.last = now


class InFlight:
    """Running and waiting requests. Implements `choose.Loads`."""

    def __init__(self) -> None:
        self._running: dict[str, int] = {}
        self._held: dict[Target, int] = {}
        """What running requests were given, and how many of them."""
        self._turns: dict[str, int] = {}
        self._turn = 0
        self.queues: dict[BackendKey, FairQueue] = {}
        """The lines of those that wait; a backend without waiters may be absent."""

    def in_flight(self, url: str) -> int:
        """Requests running at an endpoint."""
        return self._running.get(url, 0)

    def last_turn(self, url: str) -> int:
        """The number of the last request that an endpoint got; 0 for none."""
        return self._turns.get(url, 0)

    def queued(self, key: BackendKey) -> int:
        """Requests waiting for a backend."""
        queue = self.queues.get(key)
        return 0 if queue is None else len(queue)

    def admits(self, key: BackendKey, caller: str, bound: int) -> bool:
        """Whether one more of this caller may wait for a backend, of which `bound` may."""
        queue = self.queues.get(key)
        return bound > 0 if queue is None else queue.admits(caller, bound)

    def by_model(self) -> Counter[tuple[BackendKey, str]]:
        """Requests running at each backend for each of the engine's models."""
        found: Counter[tuple[BackendKey, str]] = Counter()
        for target, running in self._held.items():
            found[target.backend.key, target.backend.model] += running
        return found

    def take(self, target: Target) -> None:
        """Count a request in."""
        url = target.url
        self._held[target] = self._held.get(target, 0) + 1
        self._turn += 1
        self._turns[url] = self._turn
        self._running[url] = self._running.get(url, 0) + 1

    def give_back(self, target: Target) -> None:
        """Count a request out. Giving back what is not held is a bug, and said so."""
        url = target.url
        held = self._held.get(target)
        if held is None:
            raise RuntimeError(f"lease of {url} given back twice")
        if held > 1:
            self._held[target] = held - 1
        else:
            del self._held[target]
        running = self._running[url]
        if running > 1:
            self._running[url] = running - 1
        else:
            del self._running[url]

    @property
    def running(self) -> int:
        """All requests running anywhere."""
        return sum(self._running.values())
