"""Who is being served where: the only mutable state of routing.

One event loop owns an account, so there are no locks. `proxy.admission` takes and gives back; `choose` reads it as
Loads.
"""

from .queue import FairQueue
from .table import BackendKey


class Account:
    """Running and waiting requests. Implements `choose.Loads`."""

    def __init__(self) -> None:
        self._running: dict[str, int] = {}
        self._by_model: dict[tuple[BackendKey, str], int] = {}
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

    def in_flight_of(self, key: BackendKey, model: str) -> int:
        """Requests running at a backend for one of the engine's models."""
        return self._by_model.get((key, model), 0)

    def take(self, url: str, key: BackendKey, model: str) -> None:
        """Count a request in."""
        place = key, model
        self._by_model[place] = self._by_model.get(place, 0) + 1
        self._turn += 1
        self._turns[url] = self._turn
        self._running[url] = self._running.get(url, 0) + 1

    def give_back(self, url: str, key: BackendKey, model: str) -> None:
        """Count a request out. Giving back more than was taken is a bug, and said so."""
        running = self._running.get(url)
        if running is None:
            raise RuntimeError(f"lease of {url} given back twice")
        place = key, model
        of_model = self._by_model[place]
        if running > 1:
            self._running[url] = running - 1
        else:
            del self._running[url]
        if of_model > 1:
            self._by_model[place] = of_model - 1
        else:
            del self._by_model[place]

    @property
    def running(self) -> int:
        """All requests running anywhere."""
        return sum(self._running.values())
