"""What can go wrong between us and the API server, whose matter it is, and the one place that finds out.

::

    ClusterError
    ├── UnreachableError    the world's: no answer, none that can be read, or one that asks to come again
    │   │                   (network, 429, 5xx) — back off
    │   ├── ExpiredError    the API server's memory: it no longer knows that resourceVersion (410) — list again
    │   └── StuckError      this one request's: it was not carried out in time, or failed inside (500, 504), as when an
    │                       admission webhook is down or hangs; another request may fare better
    ├── DeniedError         the installation's: credentials or RBAC say no (401, 403) — a human grants the right
    ├── RejectedError       ours or the user's: the object is wrong (400, 405, 413, 415, 422) — its text names the field
    ├── TakenError          the user's: an object of that name is there and is not ours — a human renames it
    ├── ConflictError       nobody's: somebody else was faster (409) — an outcome; look again
    └── AbsentError         nobody's: it is not there, or goes away with its namespace (404) — an outcome

Messages carry the API server's own sentence when it sent a `Status`, cut to 300 characters, and never any other body: a
body may hold a Secret. For the same reason the client library's exception is not chained, since its text is the body.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any, Final

import aiohttp
import msgspec
from kubernetes.aio.client.exceptions import ApiException

_LONGEST: Final = 300
_DENIED: Final = re.compile(r'^admission webhook "[^"]*" denied the request')
"""Of a webhook that is there and says no: about this object, whatever HTTP status it chooses to say so with."""


class ClusterError(Exception):
    """A request to the API server that did not do what it was to do."""


class UnreachableError(ClusterError):
    """The API server did not answer, or cannot serve now."""


class ExpiredError(UnreachableError):
    """The API server has forgotten what came after a resourceVersion, or the rest of a list."""


class StuckError(UnreachableError):
    """The API server is there, and could not carry out this very request: it depends on somebody who is not."""


class DeniedError(ClusterError):
    """The API server knows us not, or does not let us."""


class RejectedError(ClusterError):
    """The API server, or an admission webhook, does not take the object."""


class TakenError(ClusterError):
    """An object of that name exists and is not ours. To apply it would be to take it over, and to delete it one day."""


class ConflictError(ClusterError):
    """The object changed, or is another than we think."""


class AbsentError(ClusterError):
    """The object, its kind or its namespace is not there, or is on its way out."""


_BY_STATUS: Final[dict[int, type[ClusterError]]] = {
    400: RejectedError,
    401: DeniedError,
    403: DeniedError,
    404: AbsentError,
    405: RejectedError,
    409: ConflictError,
    410: ExpiredError,
    413: RejectedError,
    415: RejectedError,
    422: RejectedError,
    500: StuckError,
    504: StuckError,
}


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise our own errors for the client library's.

    Args:
        what: what is being done, as in "apply Deployment x"; begins the message.
    """
    try:
        yield
    except ApiException as exc:
        raise from_answer(what, exc.status or 0, exc.body) from None
    except aiohttp.ConnectionTimeoutError:
        raise UnreachableError(f"Could not {what}: no connection in time") from None
    except TimeoutError:
        raise StuckError(f"Could not {what}: no answer in time") from None
    except msgspec.DecodeError as exc:
        raise UnreachableError(f"Could not {what}: the answer is no JSON: {exc}") from None
    except (aiohttp.ClientError, OSError) as exc:
        raise UnreachableError(f"Could not {what}: {exc}") from exc


def from_answer(what: str, status: int, body: str | bytes | None) -> ClusterError:
    """Return the error that an answer with this HTTP status means."""
    said = _status_of(body)
    causes = (said.get("details") or {}).get("causes") or ()
    sentence = str(said.get("message") or said.get("reason") or "no reason given")
    message = f"Could not {what}: {sentence[:_LONGEST]} (HTTP {status})"
    if _DENIED.search(sentence):
        return RejectedError(message)
    if status == 403 and any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return AbsentError(message)
    return _BY_STATUS.get(status, UnreachableError)(message)


def _status_of(body: str | bytes | None) -> dict[str, Any]:
    try:
        said = json.loads(body or "")
    except ValueError:
        return {}
    return said if isinstance(said, dict) and said.get("kind") == "Status" else {}
