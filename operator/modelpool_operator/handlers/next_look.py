"""When a pool is looked at again although no watch tells of anything: of some things that go on, none does."""

from typing import Final

from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.reporting import hanging

LOOK_AGAIN: Final = 5.0
"""Seconds until the next look at a pool with an engine that starts: how far a download is, no event tells."""
ASK_AGAIN: Final = 10.0
"""The same of a pool where something may hang: of what it waits for, an Event tells, and Events wake nobody."""


def next_look(pool: ModelPool, observed: Observed) -> float | None:
    """Return the seconds until then, or None."""
    if any(pod.wants_log for pod in observed.pods):
        return LOOK_AGAIN
    return ASK_AGAIN if hanging.candidates(pool, observed.children.values(), observed.pods) else None
