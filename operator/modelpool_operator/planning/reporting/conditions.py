"""Conditions as metav1 has them: a verdict becomes a condition that keeps its time for as long as its status holds."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from modelpool_operator.api.status import Condition, ConditionStatus, PoolStatus

PLANNED: Final = "Planned"
READY: Final = "Ready"
PROGRESSING: Final = "Progressing"
DEGRADED: Final = "Degraded"
STALLED: Final = "Stalled"
"""Only there while it holds, as kstatus wants it: nothing happens until somebody changes something."""

MESSAGE_LENGTH: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a check has to say."""

    status: ConditionStatus
    reason: str
    message: str


def yes(reason: str, message: str) -> Verdict:
    """Return the verdict that the condition holds."""
    return Verdict(status=ConditionStatus.TRUE, reason=reason, message=message)


def no(reason: str, message: str) -> Verdict:
    """Return the verdict that the condition does not hold."""
    return Verdict(status=ConditionStatus.FALSE, reason=reason, message=message)


def unknown(reason: str, message: str) -> Verdict:
    """Return the verdict that nobody can tell."""
    return Verdict(status=ConditionStatus.UNKNOWN, reason=reason, message=message)


def was_ready(previous: PoolStatus | None, generation: int) -> bool:
    """Return whether a status says of this very generation that it is ready."""
    said = (one for one in previous.conditions if one.type == READY) if previous else ()
    return any(one.status is ConditionStatus.TRUE and one.observed_generation == generation for one in said)


def shortened(text: str, room: int) -> str:
    """Return as much of a text as there is room for, in characters."""
    return text if len(text) <= room else f"{text[: room - 1]}…"


def condition(kind: str, verdict: Verdict, *, previous: PoolStatus | None, generation: int, now: datetime) -> Condition:
    """Return the condition; its time is the former one's unless the status has changed."""
    before = next((old for old in previous.conditions if old.type == kind), None) if previous else None
    kept = before is not None and before.status is verdict.status
    return Condition(
        type=kind,
        status=verdict.status,
        reason=verdict.reason,
        message=shortened(verdict.message, MESSAGE_LENGTH),
        observed_generation=generation,
        last_transition_time=before.last_transition_time if kept and before else now.replace(microsecond=0),
    )
