"""Heads of one connection's answers, known again by their bytes without what is each answer's own. Sans I/O.

An engine's heads differ in little but length and date, so most need not be parsed. Whoever owns this parses the others.
"""

from collections.abc import Callable
from re import compile as pattern
from typing import Final

from .. import head_cache
from .response import ResponseHead

_OWN_LINES: Final = pattern(rb"\r\n(?:[Dd]ate|[Xx]-[Rr]equest-[Ii]d): [ -~]*(?=\r\n)").sub
_MOST_BYTES: Final = 2048
"""Longer heads are parsed each time, so that what is remembered stays small."""
_CHUNKED: Final = b"chunked"
_NONE: Final = ResponseHead(0, ())


class KnownHeads:
    """The last whole answer's head and the last stream's, and where to ask for those of other connections."""

    def __init__(
        self, whole: Callable[[bytes], ResponseHead | None], streamed: Callable[[bytes], ResponseHead | None]
    ) -> None:
        """Both say what a head says, or None when it is no such head, and remember what they were asked.

        `whole` is asked with a length of 0 in place of an answer's own.
        """
        self._find_whole = whole
        self._find_streamed = streamed
        self._whole = self._streamed = _NONE
        self._before = self._behind = b""
        """Of the last whole answer's head: see `head_cache.parted`."""
        self._text = b""
        """The last stream's head, as it came."""

    def whole(self, data: bytes) -> tuple[ResponseHead, int] | None:
        """The head that `data` begins with, and where it ends, if that is one whole answer and nothing more."""
        known = head_cache.again(data, self._before, self._behind) if self._behind else None
        if known is None:
            end = data.find(head_cache.END) + len(head_cache.END)
            if not len(head_cache.END) <= end <= _MOST_BYTES:
                return None
            before, length, behind = head_cache.parted(data, end)
            head = self._find_whole(_OWN_LINES(b"", b"".join((before, b"0", behind)))) if behind else None
            if head is None:
                return None
            self._whole, self._before, self._behind = head, before, behind
        else:
            length, end = known
        return (self._whole, end) if len(data) == end + length else None

    def streamed(self, text: bytes) -> ResponseHead | None:
        """What a stream's head says, if `text` is one that is known."""
        if text != self._text:
            if len(text) > _MOST_BYTES or _CHUNKED not in text:  # heads with a length are as many as lengths
                return None
            head = self._find_streamed(_OWN_LINES(b"", text))
            if head is None:
                return None
            self._text, self._streamed = text, head
        return self._streamed
