"""How an engine fails a request of which its caller has seen nothing, and what of an error goes to the caller."""

from typing import Final

from ..dialects import errors
from ..dialects.calls import Call
from ..dialects.errors import Reason, Refusal
from ..engines.profile import Profile
from ..http import headers
from ..http.client.errors import OutOfResources
from ..http.headers import Headers
from ..http.urls import shown
from ..routing.choose import Target
from ..routing.health import Failure
from ..translation.engine_errors import ENGINE_REFUSED_KEY
from . import refusals, relay
from .context import RequestContext
from .relay import Whole

BUSY: Final = frozenset({429, 503})
ENGINE_BUSY: Final = b"Retry-After: 2\r\n"


class AttemptFailed(Exception):  # noqa: N818
    """The engine gave nothing that the caller has seen. `answer` is what to say if no other engine can help."""

    def __init__(self, kind: Failure, message: str, answer: Whole | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.answer = answer


def short(shortage: OutOfResources, call: Call) -> AttemptFailed:
    """The gateway's own want."""
    refusal = Refusal(reason=Reason.BUSY, detail=refusals.SHORT, retry_after_s=refusals.SOON_S)
    return AttemptFailed(Failure.SHORTAGE, str(shortage), relay.written(errors.render(refusal, call.dialect)))


def pass_on(
    context: RequestContext, call: Call, target: Target, profile: Profile, status: int, answer: Whole, said: bytes
) -> None:
    """Pass an answer on that is none of 200. Raises AttemptFailed if another engine should be asked.

    `said`: the engine's body.
    """
    failure = profile.failure_of(status, said)
    if failure is Failure.UNAUTHORIZED:
        refusal = Refusal(reason=Reason.ENGINE_FAILED, detail=ENGINE_REFUSED_KEY)
        words = relay.written(errors.render(refusal, call.dialect))
        raise AttemptFailed(failure, f"{shown(target.url)} refused the gateway's key", words)
    if failure is Failure.NOT_PULLED:
        raise AttemptFailed(failure, f"{profile.title} does not hold model {target.engine_model!r}")
    if failure is not None:
        raise AttemptFailed(failure, f"{shown(target.url)} answered {status}", answer)
    relay.whole(context, answer)


def retry(given: Headers) -> bytes:
    """When to come again, as the engine says it; most that are busy do not."""
    after = headers.first(given, "Retry-After")
    return ENGINE_BUSY if after is None else headers.lines([("Retry-After", after)])
