"""Which headers cross the gateway. Pure: pairs in, pairs out; the only place that names hop-by-hop headers."""

from collections.abc import Iterable, Sequence

Headers = Sequence[tuple[str, str]]

REQUEST_ID = "X-Request-Id"
BACKEND = "X-ModelPool-Backend"
POOL = "X-ModelPool-Pool"
ROUTE = "X-ModelPool-Route"
QUEUE_MS = "X-ModelPool-Queue-Ms"
WARNING = "X-ModelPool-Warning"

_LONGEST_WARNING = 1000

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_PLAIN = frozenset({"close"})  # what else a Connection header says that names no header
# Set anew on the way in: the engine's Host, the length of the body that is really sent, and our request id. Answers are
# not compressed: that would hold a stream back, and hide its end from the relay. Nor are requests: the server has
# inflated them. The origin has been judged here, by our rules and not the engine's.
_REPLACED_IN = _HOP_BY_HOP | frozenset(
    {"host", "content-length", "expect", "accept-encoding", "content-encoding", "x-request-id", "origin"}
)
_REPLACED_IN_OURS = _REPLACED_IN | {"content-type", "accept"}
_REPLACED_OUT = _HOP_BY_HOP | frozenset(
    {"content-length", "x-request-id", "date", "server", *map(str.lower, (BACKEND, POOL, ROUTE, QUEUE_MS, WARNING))}
)


OWN = frozenset({"content-length", "date", "x-request-id"})
"""What differs from one answer of an engine to the next, and ends here: answers are remembered without it."""


def to_engine(headers: Iterable[tuple[str, str]], *, json: bool = False) -> list[tuple[str, str]]:
    """What an engine gets of the caller's headers, `traceparent` and `Authorization` included.

    The request's id is for the sender to add, the length of the body for the client. `json`: the body is ours, so the
    caller's words about it do not hold.
    """
    kept = _end_to_end(headers, _REPLACED_IN_OURS if json else _REPLACED_IN)
    if json:
        kept.append(("Content-Type", "application/json"))
    return kept


def to_caller(headers: Headers) -> list[tuple[str, str]]:
    """What the caller gets of an engine's headers. Content-Length is for the sender of the body to set."""
    return _end_to_end(headers, _REPLACED_OUT)


def lines(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Headers on the wire, each with its line's end. Raises ValueError when something would break out of its line."""
    told = [f"{name}: {value}\r\n" for name, value in pairs]
    text = "".join(told)
    if text.count("\n") != len(told) or text.count("\r") != len(told) or "\0" in text:
        raise ValueError("a header holds a line's end")
    return text.encode("utf-8", "surrogateescape")


def warning(sentences: Iterable[str]) -> str:
    """What was knowingly not passed on, as one header's value: printable, and no longer than a header should be."""
    text = "; ".join(sentences)
    return "".join(one if one.isascii() and one.isprintable() else "?" for one in text[:_LONGEST_WARNING])


def first(headers: Headers, name: str) -> str | None:
    """The value of a header, whatever its case."""
    wanted = name.lower()
    for key, value in headers:
        if key.lower() == wanted:
            return value
    return None


def _end_to_end(headers: Iterable[tuple[str, str]], replaced: frozenset[str]) -> list[tuple[str, str]]:
    kept: list[tuple[str, str]] = []
    named: set[str] = set()
    for pair in headers:
        name = pair[0].lower()
        if name == "connection":
            named.update(token.strip().lower() for token in pair[1].split(","))
        elif name not in replaced:
            kept.append(pair)
    return [pair for pair in kept if pair[0].lower() not in named] if named - _HOP_BY_HOP - _PLAIN else kept
