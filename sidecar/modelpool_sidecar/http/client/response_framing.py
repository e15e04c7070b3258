"""What an answer's head says of its body's framing, and what it must not say. Pure."""

from typing import Final

from ..headers import EACH_ITS_OWN, Headers

MOST_HEADERS: Final = 256
"""In one head; trailers are not counted, because nobody keeps them."""
_FRAMES: Final = frozenset({"content-length", "transfer-encoding"})
_STATUSES: Final = range(100, 600)
"""Others are none (RFC 9110, 15)."""
_FINAL: Final = 200
_SWITCHING: Final = 101


class MalformedResponse(ValueError):  # noqa: N818 -- named for what came
    """The engine does not speak HTTP, or not as it may."""


def is_informational(status: int, given: Headers) -> bool:
    """Whether another head follows this one. Raises MalformedAnswer when it is none that may be followed."""
    if status not in _STATUSES:
        raise MalformedResponse(f"{status:03d} is no status")
    if status >= _FINAL:
        return False
    if status == _SWITCHING:
        raise MalformedResponse("the engine switched protocols unasked")
    if any(name.lower() in _FRAMES for name, _ in given):
        raise MalformedResponse("an informational answer has no body")
    return True


def framing(given: Headers) -> tuple[list[tuple[str, str]], bool, bool]:
    """The headers that are for the caller, whether the body is framed, and whether it is so in chunks.

    Raises MalformedAnswer.
    """
    kept: list[tuple[str, str]] = []
    framed = chunked = False
    for name, value in given:
        key = name.lower()
        if key not in EACH_ITS_OWN:
            kept.append((name, value))
        if key == "transfer-encoding":
            if framed or value.lower() != "chunked":
                raise MalformedResponse(f"the engine used the transfer coding {value!r}")
            chunked = True
        framed = framed or key in _FRAMES
    return kept, framed, chunked
