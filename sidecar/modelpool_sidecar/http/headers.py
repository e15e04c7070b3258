"""Headers as pairs and as bytes, and which of them concern one connection alone. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

Headers = Sequence[tuple[str, str]]

HOP_BY_HOP: Final = frozenset(
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
"""In lower case. What `Connection` names in a message comes on top: see `named_by_connection`."""
EACH_ITS_OWN: Final = frozenset({"content-length", "date", "x-request-id"})
"""What differs from one response of an engine to the next, and ends here: heads are remembered without it."""


def lines(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Headers on the wire, each with its line's end. Raises ValueError when something would break out of its line."""
    written = [f"{name}: {value}\r\n" for name, value in pairs]
    text = "".join(written)
    if text.count("\n") != len(written) or text.count("\r") != len(written) or "\0" in text:
        raise ValueError("a header holds a line's end")
    return text.encode("utf-8", "surrogateescape")


def first(headers: Headers, name: str) -> str | None:
    """The value of a header, whatever its case."""
    wanted = name.lower()
    for key, value in headers:
        if key.lower() == wanted:
            return value
    return None


def named_by_connection(value: str) -> list[str]:
    """The names, in lower case, that a Connection header holds."""
    return [token.strip().lower() for token in value.split(",")]
