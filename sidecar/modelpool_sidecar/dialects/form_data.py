"""`multipart/form-data`, RFC 7578, as far as it must be known: where the fields lie. Files are not looked into."""

import re
from typing import Final

from ..http.errors import BadRequestError
from .quoting import LONGEST_NAME, cut

_BOUNDARY: Final = re.compile(
    r'(?i)multipart/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,70})"|([^\s";,]{1,70}))'
).match
_NAME: Final = re.compile(rb'(?i);\s*name=(?:"([^"]*)"|([^\s";]+))').search
_DISPOSITION: Final = b"content-disposition:"
_BREAK: Final = b"\r\n"
_BLANK: Final = b"\r\n\r\n"
_MOST_PARTS: Final = 64
_LONGEST_HEAD: Final = 16 * 1024
"""Bytes of a part's headers."""
_LONGEST_TEXT: Final = 4 * LONGEST_NAME
"""Bytes of a field that is read."""


class Form:
    """The fields of one body, in the order in which they were sent."""

    def __init__(self, content: bytes, content_type: str) -> None:
        """Raises BadRequestError when it is no form, or names no model or several."""
        boundary = _BOUNDARY(content_type)
        if boundary is None:
            raise BadRequestError("the request must be multipart/form-data with a boundary")
        self._content = content
        self._spans: dict[bytes, list[tuple[int, int]]] = {}
        self._find((boundary[1] or boundary[2]).encode("latin-1", "replace"))
        models = self._spans.get(b"model", [])
        if len(models) != 1 or not self.text("model"):
            raise BadRequestError("model is required" if len(models) < 2 else "the request has several models")
        if len(self.text("model")) > LONGEST_NAME:
            raise BadRequestError(f"invalid model name: {cut(self.text('model'))}")

    def text(self, name: str) -> str:
        """A field that is short text; empty where there is none. Of several the last, as servers take it."""
        spans = self._spans.get(name.encode())
        if not spans:
            return ""
        start, stop = spans[-1]
        if stop - start > _LONGEST_TEXT:
            raise BadRequestError(f"the field {name!r} is too long")
        try:
            return self._content[start:stop].decode().strip()
        except UnicodeDecodeError as wrong:
            raise BadRequestError(f"the field {name!r} is not valid UTF-8") from wrong

    def replaced(self, name: str, value: bytes) -> bytes:
        """The whole form with another value in each field of this name."""
        view, pieces, end = memoryview(self._content), list[bytes | memoryview](), 0
        for start, stop in self._spans.get(name.encode(), ()):
            pieces += (view[end:start], value)
            end = stop
        return b"".join((*pieces, view[end:]))

    def _find(self, boundary: bytes) -> None:
        content, line = self._content, b"--" + boundary
        at = 0 if content.startswith(line) else content.find(_BREAK + line) + len(_BREAK)
        if at < len(_BREAK) and not content.startswith(line):
            raise BadRequestError("the form has no part")
        for _ in range(_MOST_PARTS):
            at += len(line)
            if content.startswith(b"--", at):
                return
            head_end = content.find(_BLANK, at, at + _LONGEST_HEAD)
            stop = content.find(_BREAK + line, max(head_end, at))
            if not content.startswith(_BREAK, at) or head_end < 0 or stop < 0:
                raise BadRequestError("the form is malformed or cut short")
            self._spans.setdefault(_field(content[at:head_end]), []).append((head_end + len(_BLANK), stop))
            at = stop + len(_BREAK)
        raise BadRequestError(f"the form has more than {_MOST_PARTS} parts")


def _field(head: bytes) -> bytes:
    """The name of a part, by its headers."""
    for header in head.split(_BREAK):
        if header.lower().startswith(_DISPOSITION) and (found := _NAME(header)) is not None:
            return found[1] if found[1] is not None else found[2]
    return b""
