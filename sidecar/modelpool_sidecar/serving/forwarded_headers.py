"""Which headers cross the gateway. Pure: pairs in, pairs out."""

from collections.abc import Iterable

from ..http import headers
from ..http.client.response import ResponseHead
from ..http.headers import HOP_BY_HOP, Headers, named_by_connection

REQUEST_ID = "X-Request-Id"
BACKEND = "X-ModelPool-Backend"
POOL = "X-ModelPool-Pool"
ROUTE = "X-ModelPool-Route"
QUEUE_MS = "X-ModelPool-Queue-Ms"
WARNING = "X-ModelPool-Warning"

_LONGEST_WARNING = 1000

_PLAIN = frozenset({"close"})  # what else a Connection header says that names no header
# What an engine may know of a caller. A list of what passes and not of what is held back: names for credentials are
# made up every year (X-Goog-Api-Key, X-Amz-Security-Token, a proxy's own), and an engine is whatever a pool says it is.
# Nothing tells where a request came from: what callers say of that (Forwarded, X-Forwarded-*, X-Real-IP) is anybody's.
_PASSED_IN = frozenset({"accept", "content-type", "traceparent", "tracestate", "user-agent"})
_PASSED_IN_OURS = _PASSED_IN - {"accept", "content-type"}
# What a page of ours would be taken to say to a browser: an engine has no say in cookies, in who may read, or in ways.
_BROWSERS = frozenset(
    {
        *("set-cookie", "set-cookie2", "clear-site-data", "service-worker-allowed"),
        *("strict-transport-security", "alt-svc", "nel", "report-to", "reporting-endpoints", "refresh"),
        *(
            f"access-control-{what}"
            for what in (
                *("allow-origin", "allow-credentials", "allow-methods", "allow-headers", "allow-private-network"),
                *("expose-headers", "max-age"),
            )
        ),
    }
)
_REPLACED_OUT = (
    HOP_BY_HOP
    | _BROWSERS
    | {"content-length", "x-request-id", "date", "server", *map(str.lower, (BACKEND, POOL, ROUTE, QUEUE_MS, WARNING))}
)


def to_engine(headers: Iterable[tuple[str, str]], *, json: bool = False) -> list[tuple[str, str]]:
    """What an engine gets of the caller's headers: what the body is, how it is traced, and no credentials.

    The request's id is for the sender to add, the length of the body for the client, and the engine's own Host. `json`:
    the body is ours, so the caller's words about it do not hold.
    """
    passed = _PASSED_IN_OURS if json else _PASSED_IN
    kept: list[tuple[str, str]] = []
    named: set[str] = set()
    for pair in headers:
        name = pair[0].lower()
        if name == "connection":
            named.update(named_by_connection(pair[1]))
        elif name in passed:
            kept.append(pair)
    if named:
        kept = [pair for pair in kept if pair[0].lower() not in named]
    if json:
        kept.append(("Content-Type", "application/json"))
    return kept


def to_caller(headers: Headers) -> list[tuple[str, str]]:
    """What the caller gets of an engine's headers. Content-Length is for the sender of the body to set."""
    kept: list[tuple[str, str]] = []
    named: set[str] = set()
    for pair in headers:
        name = pair[0].lower()
        if name == "connection":
            named.update(named_by_connection(pair[1]))
        elif name not in _REPLACED_OUT:
            kept.append(pair)
    return [pair for pair in kept if pair[0].lower() not in named] if named - HOP_BY_HOP - _PLAIN else kept


def kept(head: ResponseHead) -> bytes:
    """What of the headers of an engine's response is for the caller, as bytes. The head remembers it."""
    if head.kept is None:
        head.kept = headers.lines(to_caller(head.headers))
    return head.kept


def warning(sentences: Iterable[str]) -> str:
    """What was knowingly not passed on, as one header's value: printable, and no longer than a header should be."""
    text = "; ".join(sentences)
    return "".join(one if one.isascii() and one.isprintable() else "?" for one in text[:_LONGEST_WARNING])
