"""What a pool is told of a pass over it that did not get through: the cause, and what a person can do about it.

A request that is refused in the midst of a plan is no such failure: the plan goes on, and the status names it.
"""

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from modelpool_operator.cluster import errors

_LONGEST: Final = 300
_KUBERNETES_OWN: Final = frozenset({"foregroundDeletion", "orphan"})
"""Finalizers by which the garbage collector does its work, and which pass."""
_PACKAGE: Final = Path(__file__).parents[1]


class Failure(NamedTuple):
    """Why a pass failed, as the status says it."""

    reason: str
    message: str
    passing: bool = False
    """Whether waiting is likely to mend it, so that what was known before still holds."""


def failure_of(error: Exception) -> Failure:
    """Return what to say of what a pass raised; the same words for the same error, so that nothing is written twice.

    Of what several tasks raised, the first: the others were ended for it.
    """
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    match error:
        case errors.DeniedError():
            advice = (
                "Grant the operator this right: `helm upgrade` with the chart's own roles does;"
                " until then nothing of this pool is looked at or changed"
            )
            return Failure("OperatorDenied", f"{error}. {advice}")
        case errors.UnreachableError():
            return Failure("ApiServerUnreachable", f"{error}. It is tried again, less than a minute from now", True)
        case errors.ClusterError():
            return Failure("PassFailed", f"{error}. It is tried again; the operator's log tells the rest")
        case _:
            return _fault(error)


def held_by(metadata: Mapping[str, Any]) -> Failure | None:
    """Return what to say of a pool that is being deleted and held, or None when nothing but Kubernetes holds it.

    Nothing of it says how its engines are: a pod that ends is followed by another, or is not.
    """
    held = [f"'{one}'" for one in metadata.get("finalizers") or () if one not in _KUBERNETES_OWN]
    if not held:
        return None
    message = (
        f"Is to be deleted since {metadata['deletionTimestamp']}, and is held by the finalizer {', '.join(held)}: until"
        " whoever set it takes it away, nothing of the spec is carried out, the engines are left as they are, and the"
        " gateway serves what it did. Where its controller is no more, take it out of `metadata.finalizers`"
    )
    return Failure("HeldByFinalizer", message)


def _fault(error: Exception) -> Failure:
    said = f"{type(error).__name__}: {error}"
    advice = (
        "This is a fault of the operator, or the spec has something that nobody expected there:"
        " undo the last change of the pool, and report this with the operator's log"
    )
    return Failure("OperatorFault", f"{said[:_LONGEST]} ({_place(error)}). {advice}")


def _place(error: Exception) -> str:
    """Return the last line of ours that the error came through."""
    ours = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(_PACKAGE)
    ]
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "nobody knows where"
