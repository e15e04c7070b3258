"""What pools without a plan hold of cards, and claim of names: by what the mirror has of them."""

import logging
from collections.abc import Iterable
from typing import Final

from modelpool_operator.api import parsing
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.cluster import errors, kinds
from modelpool_operator.cluster.client import Object
from modelpool_operator.cluster.mirror import Mirror
from modelpool_operator.cluster.observe import engines_of, owned_by
from modelpool_operator.handlers.card_holdings import CardHoldings
from modelpool_operator.handlers.model_names import ModelNames
from modelpool_operator.planning.manifests.routes import entries_in

logger = logging.getLogger(__name__)

_DEPLOYMENTS: Final = kinds.child("apps/v1", "Deployment")


class UnplannedPools:
    """Tells `CardHoldings` and `ModelNames` of pools. What the mirror does not know, it does not tell."""

    def __init__(self, mirror: Mirror, card_holdings: CardHoldings, model_names: ModelNames) -> None:
        self._mirror = mirror
        self._card_holdings = card_holdings
        self._model_names = model_names

    def expect(self, listed: Iterable[ObjectRef], pools: Iterable[ModelPool]) -> None:
        """Take note of what there is, before the first pass over any pool.

        Args:
            listed: all pools there are.
            pools: those that can be read. Of the others, and of pools that are gone, what is left counts.
        """
        there, read = set(listed), set[ObjectRef]()
        for pool in pools:
            read.add(pool.ref)
            self._expect(pool)
        gone = self._mirror.others(kinds.PODS, there | read) | self._mirror.others(_DEPLOYMENTS, there | read)
        for ref in sorted(there.difference(read) | gone):
            self.leave(ref)

    def _expect(self, pool: ModelPool) -> None:
        """Take note of what one pool has; what cannot be looked at, its pass will say.

        Nothing of one pool ends the operator, nor keeps it from the others.
        """
        try:
            self._card_holdings.expect(pool, engines_of(self._mirror, pool.ref))
        except errors.ClusterError as exc:
            logger.debug("Could not look at what a pool has", extra={"pool": pool.ref, "error": str(exc)})
        except Exception:
            logger.exception("Could not look at what a pool has because of a bug", extra={"pool": pool.ref})

    def leave(self, ref: ObjectRef) -> frozenset[ObjectRef]:
        """Let a pool that is gone, or cannot be read, hold what is left of it, and return whom that concerns."""
        try:
            return self._card_holdings.leave(ref, engines_of(self._mirror, ref))
        except errors.ClusterError:
            return frozenset()

    def keep_routes(self, body: Object, ref: ObjectRef) -> frozenset[ObjectRef]:
        """Let a pool that cannot be read claim what its last routes say."""
        try:
            children = self._mirror.of(kinds.child("v1", "ConfigMap"), ref)
        except errors.ClusterError:
            return frozenset()
        mine = [child for child in children if owned_by(child, body["metadata"]["uid"])]
        return self._model_names.put(ref, parsing.created_of(body), entries_in(mine))
