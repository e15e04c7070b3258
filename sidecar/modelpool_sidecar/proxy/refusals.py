"""From what routing and attempts say to what the caller reads. Pure; the only place that maps one to the other."""

from typing import Final, assert_never

from ..protocols import errors
from ..protocols.errors import Reason
from ..routing import choose
from ..routing.choose import RefusalKind

SOON_S: Final = 2
"""Retry-After when all slots are taken: answers end all the time."""
LATER_S: Final = 5
"""Retry-After when no engine is up: a model takes a while to load."""


def worded(refusal: choose.Refusal, asked: str) -> errors.Refusal:
    """Routing's refusal, ready to be rendered in the caller's dialect. `asked` is the model's name as asked for."""
    match refusal.kind:
        case RefusalKind.UNKNOWN_MODEL:
            return errors.Refusal(reason=Reason.UNKNOWN_MODEL, detail=asked)
        case RefusalKind.LACKS_CAPABILITY:
            return errors.Refusal(reason=Reason.BAD_REQUEST, detail=refusal.message)
        case RefusalKind.UNSERVED:
            return errors.Refusal(reason=Reason.UNSUPPORTED, detail=refusal.message)
        case RefusalKind.UNAVAILABLE:
            return errors.Refusal(reason=Reason.UNAVAILABLE, detail=refusal.message, retry_after_s=LATER_S)
        case RefusalKind.QUEUE_FULL:
            return errors.Refusal(reason=Reason.BUSY, detail=refusal.message, retry_after_s=SOON_S)
        case RefusalKind.QUEUE_TIMEOUT:
            return errors.Refusal(reason=Reason.BUSY, detail=refusal.message, retry_after_s=LATER_S)
        case _:
            assert_never(refusal.kind)
