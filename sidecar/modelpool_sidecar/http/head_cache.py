"""Heads of messages that are known again by their bytes, so that most need not be parsed. Pure.

Heads of one peer differ in little but the length of the body. A head that was accepted with one length is acceptable
with any other: no parser looks at the digits but to add them up, so as long as they are few enough for that. An
engine's heads also differ in date and request id, which are looked past.
"""

from collections.abc import Callable
from re import compile as pattern
from typing import Final, Generic, TypeVar

END: Final = b"\r\n\r\n"
_NAMES: Final = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
_MOST_DIGITS: Final = 15
"""Fewer than a parser refuses."""
_ZERO: Final = 0x30
_NINE: Final = 0x39


def parted(text: bytes, end: int) -> tuple[bytes, int, bytes]:
    """The head of a message, `text` up to `end` with its blank line: before its length, the length, and behind it.

    What is behind is empty where no length was found that is written in the usual way; then all is before.
    """
    for name in _NAMES:
        at = text.find(name, 0, end)
        if at > 0:
            begins = at + len(name)
            stops = text.find(b"\r", begins)
            digits = text[begins:stops]
            if digits.isdigit() and len(digits) <= _MOST_DIGITS:
                return text[:begins], int(digits), text[stops:end]
    return text[:end], 0, b""


def again(text: bytes, before: bytes, behind: bytes) -> tuple[int, int] | None:
    """The length, and where the head ends, if `text` begins with a head of which these are the parts."""
    if not text.startswith(before):
        return None
    begins = stops = len(before)
    most = min(len(text), begins + _MOST_DIGITS)
    length = 0
    while stops < most and _ZERO <= (digit := text[stops]) <= _NINE:
        length = length * 10 + digit - _ZERO
        stops += 1
    end = stops + len(behind)
    return (length, end) if stops > begins and text[stops:end] == behind else None


_OWN_LINES: Final = pattern(rb"\r\n(?:[Dd]ate|[Xx]-[Rr]equest-[Ii]d): [ -~]*(?=\r\n)").sub
_MOST_BYTES: Final = 2048
"""Longer heads are parsed each time, so that what is remembered stays small."""
_CHUNKED: Final = b"chunked"
_Head = TypeVar("_Head")


class KnownHeads(Generic[_Head]):
    """The last whole answer's head and the last stream's, and where to ask for those of other connections."""

    def __init__(self, whole: Callable[[bytes], _Head | None], streamed: Callable[[bytes], _Head | None]) -> None:
        """Both say what a head says, or None when it is no such head, and remember what they were asked.

        `whole` is asked with a length of 0 in place of an answer's own.
        """
        self._find_whole = whole
        self._find_streamed = streamed
        self._whole: _Head | None = None
        self._streamed: _Head | None = None
        self._before = self._behind = b""
        """Of the last whole answer's head: see `parted`."""
        self._text = b""
        """The last stream's head, as it came."""

    def whole(self, data: bytes) -> tuple[_Head, int] | None:
        """The head that `data` begins with, and where it ends, if that is one whole answer and nothing more."""
        known = again(data, self._before, self._behind) if self._behind else None
        if known is None:
            end = data.find(END) + len(END)
            if not len(END) <= end <= _MOST_BYTES:
                return None
            before, length, behind = parted(data, end)
            head = self._find_whole(_OWN_LINES(b"", b"".join((before, b"0", behind)))) if behind else None
            if head is None:
                return None
            self._whole, self._before, self._behind = head, before, behind
        else:
            length, end = known
        whole = self._whole
        return (whole, end) if whole is not None and len(data) == end + length else None

    def streamed(self, text: bytes) -> _Head | None:
        """What a stream's head says, if `text` is one that is known."""
        if text != self._text:
            if len(text) > _MOST_BYTES or _CHUNKED not in text:  # heads with a length are as many as lengths
                return None
            head = self._find_streamed(_OWN_LINES(b"", text))
            if head is None:
                return None
            self._text, self._streamed = text, head
        return self._streamed
