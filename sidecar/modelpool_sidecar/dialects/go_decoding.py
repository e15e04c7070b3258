r"""What Go's decoder reads where others find no JSON: Ollama is written in it, and its clients have come to rely on it.

Half a surrogate pair and each byte that is no UTF-8 count as U+FFFD, and what stands behind the first document as
nothing. A text is made well-formed once a strict decoder has refused it, so that who sends what all can read pays
nothing. What is done for each byte or pair is done by the standard library. Not compiled, because large texts are read
in a thread: others get their turn between its steps.
"""

import codecs
import re
from typing import Final

import msgspec

_DECODER: Final = codecs.getincrementaldecoder("utf-8")
_BLOCK_BYTES: Final = 256 * 1024
_STRAY: Final = b"?"
"""What an encoder writes for a byte that a decoder could not read."""
_SPARE: Final = b"\1"
"""Stands for question marks meanwhile: no JSON has it."""
_REPLACEMENT: Final = "\ufffd".encode()
_BACKSLASH: Final = ord("\\")
_ESCAPE: Final = b"\\u"
_ESCAPED_REPLACEMENT: Final = b"\\ufffd"
_HIGH: Final = rb"[dD][89abAB][0-9a-fA-F]{2}"
_LOW: Final = rb"[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF: Final = re.compile(rb"\\u(?:%b(?!\\u%b)|(?<!(?<!\\)\\u%b\\u)%b)" % (_HIGH, _LOW, _HIGH, _LOW))
"""Half a pair, and what may be one. A literal comes first: so the search for it is fast."""
_FIRST_HALF: Final = re.compile(rb"\\u%b" % _HIGH)
_HALF_BYTES: Final = 6
_DIGIT: Final = 3
_OF_HIGH: Final = b"89abAB"
"""What the digit at this place is in the first half of a pair."""
_BEHIND: Final = re.compile(r"trailing characters \(byte (\d+)\)")
_scan: Final = msgspec.json.Decoder(msgspec.Raw).decode


def well_formed(text: bytes) -> bytes:
    """The document that Go would read. What is no JSON to Go either stays as wrong as it is."""
    return _first(paired(in_utf8(text)))


def in_utf8(text: bytes) -> bytes:
    """The same with U+FFFD for each byte that is no UTF-8."""
    if text.isascii() or _is_utf8(text):
        return text
    if _SPARE in text:  # no JSON, and nobody counts what is wrong with it
        return text.decode(errors="replace").encode()
    decoder = _DECODER("surrogateescape")
    parts: list[bytes] = []
    for begin in range(0, len(text), _BLOCK_BYTES):
        end = begin + _BLOCK_BYTES
        block = decoder.decode(text[begin:end].replace(_STRAY, _SPARE), final=end >= len(text))
        parts.append(block.encode(errors="replace").replace(_STRAY, _REPLACEMENT).replace(_SPARE, _STRAY))
    return b"".join(parts)


def _is_utf8(text: bytes) -> bool:
    decoder = _DECODER()
    try:
        for begin in range(0, len(text), _BLOCK_BYTES):
            end = begin + _BLOCK_BYTES
            decoder.decode(text[begin:end], final=end >= len(text))
    except UnicodeDecodeError:
        return False
    return True


def paired(text: bytes) -> bytes:
    r"""The same with `\ufffd` for each half of a surrogate pair."""
    return _HALF.sub(_replaced, text) if _ESCAPE in text else text


def _replaced(found: re.Match[bytes]) -> bytes:
    text, at = found.string, found.start()
    if at and text[at - 1] == _BACKSLASH and not _escapes(text, at):
        return found[0]
    before = at - _HALF_BYTES
    if text[at + _DIGIT] in _OF_HIGH or before < 0 or text[before] != _BACKSLASH:
        return _ESCAPED_REPLACEMENT
    is_second = _FIRST_HALF.match(text, before, at) is not None and _escapes(text, before)
    return found[0] if is_second else _ESCAPED_REPLACEMENT


def _escapes(text: bytes, at: int) -> bool:
    """Whether the backslash at this place is not escaped itself."""
    begin = at
    while begin and text[begin - 1] == _BACKSLASH:
        begin -= 1
    return (at - begin) % 2 == 0


def _first(text: bytes) -> bytes:
    """The first document of a text, where others follow it."""
    try:
        _scan(text)
    except msgspec.DecodeError as error:
        behind = _BEHIND.search(str(error))
        return text if behind is None else text[: int(behind[1]) - 1]  # it counts from 1
    except RecursionError:
        pass  # nor does whoever decodes it get further
    return text
