"""From what routing and attempts say to what the caller reads. Pure; the only place that maps one to the other."""

from http import HTTPStatus
from typing import Final, assert_never

from ..dialects import errors
from ..dialects.calls import Call
from ..dialects.dialect import Dialect
from ..dialects.errors import EngineError, Reason
from ..http.errors import BadRequestError, NoRoomError, TooLargeError, TooLateError
from ..routing import choose
from ..routing.choose import NoTargetKind

SOON_S: Final = 2
"""Retry-After when all slots are taken: answers end all the time."""
SHORT: Final = "the gateway has no means left to ask an engine, please try again"
"""Where it is not an engine that lacks something."""
LATER_S: Final = 5
"""Retry-After when no engine is up: a model takes a while to load."""


def of_caller(wrong: Exception) -> errors.Refusal:
    """Why a request cannot be read, ready to be rendered in the caller's dialect."""
    match wrong:
        case BadRequestError() | EngineError():
            return errors.Refusal.of(wrong)
        case TooLargeError():
            return errors.Refusal(reason=Reason.TOO_LARGE, detail=str(wrong))
        case TooLateError():
            return errors.Refusal(reason=Reason.BAD_REQUEST, detail=str(wrong), status=HTTPStatus.REQUEST_TIMEOUT.value)
        case NoRoomError():
            return errors.Refusal(reason=Reason.BUSY, detail=str(wrong), retry_after_s=SOON_S)
        case _:
            return errors.Refusal(reason=Reason.INTERNAL, detail="internal error")


def worded(refusal: choose.NoTarget, asked: str, call: Call) -> errors.Refusal:
    """Routing's refusal, ready to be rendered in the caller's dialect. `asked` is the model's name as asked for."""
    match refusal.kind:
        case NoTargetKind.UNKNOWN_MODEL:
            return errors.Refusal(reason=Reason.UNKNOWN_MODEL, detail=asked, operation=call.operation)
        case NoTargetKind.LACKS_CAPABILITY:
            ollama = f'"{asked}" does not support {", ".join(refusal.lacks)}'
            detail = ollama if call.dialect is Dialect.OLLAMA else refusal.message
            return errors.Refusal(reason=Reason.BAD_REQUEST, detail=detail)
        case NoTargetKind.UNSERVED:
            detail = f"the engine that serves model '{asked}' does not offer {call.path}"
            return errors.Refusal(reason=Reason.UNSUPPORTED, detail=detail)
        case NoTargetKind.UNAVAILABLE:
            return errors.Refusal(reason=Reason.UNAVAILABLE, detail=refusal.message, retry_after_s=LATER_S)
        case NoTargetKind.QUEUE_FULL:
            return errors.Refusal(reason=Reason.BUSY, detail=refusal.message, retry_after_s=SOON_S)
        case NoTargetKind.QUEUE_TIMEOUT:
            return errors.Refusal(reason=Reason.BUSY, detail=refusal.message, retry_after_s=LATER_S)
        case NoTargetKind.BROKE_ENGINES:
            return errors.Refusal(reason=Reason.ENGINE_FAILED, detail=refusal.message)
        case _:
            assert_never(refusal.kind)
