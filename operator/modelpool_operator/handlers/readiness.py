"""Whether the operator knows every pool: each one that the API server lists has come by on the watch, or is gone.

A pool that is deleted between our list and the watch's own never comes by. A pass over it finds that it is gone.

Once ready, always ready: a watch that breaks is renewed, and a Pod taken out of service for that would help nobody.
"""

from collections.abc import Iterable

from modelpool_operator.api.names import ObjectRef


class Readiness:
    """What is still missing. Told by `workers` and `watches`, asked by /readyz."""

    def __init__(self) -> None:
        self._seen: set[ObjectRef] = set()
        self._missing: set[ObjectRef] | None = None
        self._reason: str | None = None

    def listed(self, pools: Iterable[ObjectRef]) -> None:
        """Say which pools there are."""
        self._missing = set(pools) - self._seen
        self._seen.clear()

    def seen(self, pool: ObjectRef) -> None:
        """Say that the watch has shown a pool, or that it is no more."""
        if self._missing is None:
            self._seen.add(pool)
        else:
            self._missing.discard(pool)

    def hindered(self, by: str | None) -> None:
        """Say what the operator lacks that an administrator has to give, or that it lacks nothing."""
        self._reason = by

    @property
    def missing(self) -> frozenset[ObjectRef]:
        """Pools that were listed and not seen."""
        return frozenset(self._missing or ())

    def problem(self) -> str | None:
        """Return what is missing, or None when the operator is ready."""
        if self._reason is not None:
            return self._reason
        if self._missing is None:
            return "the ModelPools are not listed yet"
        if self._missing:
            return f"{len(self._missing)} ModelPools have not come by on the watch"
        return None
