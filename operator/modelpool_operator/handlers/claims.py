"""Which pool serves a name that several claim: the older one, and of two as old the first by namespace and name.

Kept in memory from the watch of ModelPools, names only. Pure but for that memory; it knows no cluster.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import ModelPool

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class _Claim(NamedTuple):
    created: datetime
    ref: ObjectRef


class Claims:
    """Names and aliases, with the pools that claim them."""

    def __init__(self) -> None:
        self._names: dict[ObjectRef, frozenset[str]] = {}
        self._claims: defaultdict[str, set[_Claim]] = defaultdict(set)

    def __len__(self) -> int:
        """Pools that claim something."""
        return len(self._names)

    def put(self, pool: ModelPool) -> frozenset[ObjectRef]:
        """Take note of a pool, and return the other pools that this concerns; none when nothing is new."""
        claimed = frozenset(name for model in pool.spec.models for name in model.names)
        claim = _Claim(pool.created or _NEVER, pool.ref)
        if self._names.get(pool.ref) == claimed and all(claim in self._claims[name] for name in claimed):
            return frozenset()
        concerned = self.drop(pool.ref)
        self._names[pool.ref] = claimed
        for name in claimed:
            concerned |= {other.ref for other in self._claims[name]}
            self._claims[name].add(claim)
        return concerned - {pool.ref}

    def drop(self, ref: ObjectRef) -> frozenset[ObjectRef]:
        """Forget a pool, and return the other pools that this concerns."""
        concerned: frozenset[ObjectRef] = frozenset()
        for name in self._names.pop(ref, ()):
            self._claims[name] = {claim for claim in self._claims[name] if claim.ref != ref}
            concerned |= {claim.ref for claim in self._claims[name]}
            if not self._claims[name]:
                del self._claims[name]
        return concerned

    def lost_by(self, ref: ObjectRef) -> Mapping[str, ObjectRef]:
        """Return the names of a pool that another pool serves, with that pool."""
        winners = {name: min(self._claims[name]).ref for name in sorted(self._names.get(ref, ()))}
        return {name: winner for name, winner in winners.items() if winner != ref}
