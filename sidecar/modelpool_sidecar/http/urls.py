"""Addresses of engines for people: what is shown, logged or told holds no credentials."""

from typing import Final

_HIDDEN: Final = "***"


def shown(url: str) -> str:
    """The URL without user and password, and without what stands behind a question mark.

    Also where it is no proper URL: everything before the last `@` counts as a secret.
    """
    start, parted, rest = url.partition("://")
    if not parted:
        start, rest = "", url
    before, at, place = rest.rpartition("@")
    place, asks, _ = place.partition("?")
    return f"{start}{parted}{_HIDDEN + at if before or at else ''}{place}{asks + _HIDDEN if asks else ''}"
