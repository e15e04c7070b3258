"""What is asked of each model, whoever answers: what an operator needs to know to add engines or to give them up.

Counted from a request's arrival to its end, by model and not by engine: while a model's own engine is gone, the
fallback answers for it, and that is demand for the model. One event loop owns it; times are told, never read.
"""

from dataclasses import dataclass, field

from .documents import ModelKey
from .in_flight import NEVER, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The demand for one model at one moment."""

    in_flight: int = 0
    """Requests that an engine works on."""
    pending: int = 0
    """Requests that wait for one."""
    quiet_since: float | None = None
    """When the last request came or ended; None when there was none yet. Means nothing while there are some."""


@dataclass(slots=True)
class Demand:
    """The demand for all models that were ever asked for."""

    started: float
    """When counting began: before that, nobody knows who asked."""
    _counts: dict[ModelKey, Tally] = field(default_factory=dict)

    def tally(self, key: ModelKey) -> Tally:
        """What is counted of a model: the same object as long as the model is known or somebody asks."""
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = Tally()
        return count

    def came(self, key: ModelKey, now: float) -> None:
        """A request came, and waits."""
        count = self.tally(key)
        count.present += 1
        count.pending += 1
        count.last = now

    def began(self, key: ModelKey) -> None:
        """A request that waited is at an engine."""
        self._counts[key].pending -= 1

    def left(self, key: ModelKey, now: float, *, began: bool) -> None:
        """A request is over; `began`: it had come to an engine."""
        count = self._counts[key]
        count.present -= 1
        count.pending -= not began
        count.last = now

    def of(self, key: ModelKey) -> Asked:
        """What is asked of a model."""
        count = self._counts.get(key)
        if count is None:
            return Asked()
        quiet_since = None if count.last == NEVER else count.last
        return Asked(in_flight=count.present - count.pending, pending=count.pending, quiet_since=quiet_since)

    def forget_all_but(self, known: frozenset[ModelKey]) -> None:
        """Drop models that are gone from the routes; those with requests stay until these are over."""
        self._counts = {key: one for key, one in self._counts.items() if key in known or one.present}
