"""What is reported: conditions by ordered chains of pure checks, and every model with its real reason."""

from collections.abc import Sequence
from datetime import datetime

from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import GatewayStatus, PoolStatus
from modelpool_operator.planning.observed import Observed
from modelpool_operator.planning.plan import Plan


def assess(
    pool: ModelPool,
    observed: Observed,
    plan: Plan,
    *,
    previous: PoolStatus | None,
    now: datetime,
    failures: Sequence[str] = (),
    gateway: GatewayStatus | None = None,
) -> PoolStatus:
    """Return the pool's status.

    Args:
        pool: what is wanted.
        observed: what was seen before the plan was carried out.
        plan: what was decided from both.
        previous: the status so far; a condition that keeps its status keeps its time.
        now: the time of a transition, timezone aware.
        failures: changes of the plan that the API server refused, as sentences.
        gateway: where clients point to, or None when the operator does not know.
    """
    raise NotImplementedError


def assess_invalid(*, generation: int, error: str, previous: PoolStatus | None, now: datetime) -> PoolStatus:
    """Return the status of a ModelPool that could not be parsed: `Planned` is False with reason `InvalidSpec`."""
    raise NotImplementedError
