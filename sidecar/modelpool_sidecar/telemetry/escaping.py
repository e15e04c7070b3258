"""Text of callers and engines in a line of a log: one record is one line, and nothing in it speaks to a terminal.

What Python calls not printable is escaped: line ends of any kind, control characters, what changes the direction of
writing or cannot be seen, and halves of surrogate pairs, which stand for bytes that were no UTF-8. Pure.
"""

import json
import re
from typing import Any, Final

_SURROGATES: Final = re.compile(r"[\ud800-\udfff]")


def shortened(given: str, longest: int) -> str:
    """Not longer than this, and one can see that something is missing."""
    return given if len(given) <= longest else f"{given[:longest]}… ({len(given)} characters)"


def text(given: str) -> str:
    """For a line of text, with spaces. A backslash is doubled, so that what was sent can be told from it."""
    if given.isprintable() and "\\" not in given:
        return given
    return "".join(one if one.isprintable() and one != "\\" else _escaped(one) for one in given)


def word(given: str) -> str:
    """The same without spaces and quotes, for a field between others."""
    return text(given).replace(" ", r"\x20").replace('"', r"\x22")


def json_text(given: str) -> str:
    """JSON of which every line is one for whatever splits lines. It must hold no halves of surrogate pairs."""
    if given.isascii() and "\x7f" not in given:
        return given
    return "\n".join(map(_json_line, given.split("\n")))


def json_object(given: dict[str, Any]) -> str:
    """An object as one line of JSON, whatever is in it. Halves of surrogate pairs are written out, as `\\udcff`."""
    made = json.dumps(given, default=str, ensure_ascii=False, separators=(",", ":"))
    return json_text(_SURROGATES.sub(lambda half: rf"\\u{ord(half[0]):04x}", made))


def _escaped(one: str) -> str:
    if one == "\\":
        return r"\\"
    code = ord(one)
    if code < 0x100:
        return rf"\x{code:02x}"
    return rf"\u{code:04x}" if code < 0x10000 else rf"\U{code:08x}"


def _json_line(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(one if one.isprintable() else _json_escaped(one) for one in line)


def _json_escaped(one: str) -> str:
    units = one.encode("utf-16-be")
    return "".join(rf"\u{units[place]:02x}{units[place + 1]:02x}" for place in range(0, len(units), 2))
