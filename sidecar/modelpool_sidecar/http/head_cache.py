"""Heads of messages that differ in the length of the body alone: known again by the bytes around its digits. Pure.

A head that was accepted with one length is acceptable with any other: no parser looks at the digits but to add them
up, so as long as they are few enough for that.
"""

from typing import Final

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
