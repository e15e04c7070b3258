"""The plan: what to apply, in order, what to delete, and why. Pure; the same inputs give the same plan."""

from dataclasses import dataclass

from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.manifests import ChildRef, Manifest
from modelpool_operator.planning.observed import Observed
from modelpool_operator.planning.placement import Placement
from modelpool_operator.planning.refusals import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to change. An empty plan is the sign of a reconciled pool, or of a refused one."""

    placement: Placement | Refusal
    apply: tuple[Manifest, ...] = ()
    """Whole manifests for server-side apply, in this order. Ready to send: owner, labels and seal are in them."""
    delete: tuple[ChildRef, ...] = ()
    """Children that the pool no longer wants, in this order, after `apply`; with background propagation."""
    reasons: tuple[str, ...] = ()
    """One sentence per change, for the log."""
    notes: tuple[str, ...] = ()
    """What could not be checked, and what the user should know; the condition `Planned` carries them."""

    def __bool__(self) -> bool:
        return bool(self.apply or self.delete)

    @property
    def refusal(self) -> Refusal | None:
        """Why there is no plan, or None."""
        return self.placement if isinstance(self.placement, Refusal) else None


def make_plan(pool: ModelPool, observed: Observed) -> Plan:
    """Return what to change so that the cluster holds what the pool wants."""
    raise NotImplementedError
