"""What is wrong with a body, in Ollama's words, which are those of Go's decoder."""

import re
from typing import Final

import msgspec

from ..http.errors import BadRequestError

_MOST_SPACE: Final = 1024
"""Bytes before a fault that are looked at."""
_MISMATCH: Final = re.compile(r"Expected `([^`]+)`, got `(\w+)`(?: - at `\$\.?([^`]*)`)?")
_GO_KINDS: Final = {
    "str": "string",
    "int": "number",
    "float": "number",
    "bool": "bool",
    "array": "array",
    "object": "object",
}
_GO_TYPES: Final = {
    "messages": "[]api.Message",
    "messages.tool_calls": "[]api.ToolCall",
    "messages.images": "[]api.ImageData",
    "images": "[]api.ImageData",
    "tools": "api.Tools",
    "options": "map[string]interface {}",
    "context": "[]int",
}
_GO_DEFAULTS: Final = {"str": "string", "array": "[]string", "object": "map[string]interface {}"}


def unreadable(error: Exception, body: bytes, struct: str) -> BadRequestError:
    """The decoder's complaint in Ollama's words, which are those of Go's decoder. `struct` is the Go type's name."""
    text = str(error)
    if isinstance(error, UnicodeDecodeError):
        return BadRequestError("the request body is not valid UTF-8")
    if isinstance(error, RecursionError):
        return BadRequestError("the request body is nested too deeply")
    if isinstance(error, msgspec.ValidationError):
        return BadRequestError(_go_mismatch(text, struct))
    if "truncated" in text:
        return BadRequestError("unexpected EOF")
    if "trailing" in text:
        return BadRequestError("invalid character after top-level value")
    if (place := re.search(r"byte (\d+)", text)) is not None and int(place[1]) < len(body):
        character = chr(body[int(place[1])])
        before = body[: min(int(place[1]), _MOST_SPACE)]
        if not before or before.isspace():
            return BadRequestError(f"invalid character {character!r} looking for beginning of value")
        return BadRequestError(f"invalid character {character!r} in the request body at byte {place[1]}")
    return BadRequestError(text)


def _go_mismatch(text: str, struct: str) -> str:
    found = _MISMATCH.match(text)
    if found is None:
        return text
    wanted, got, place = (
        found[1].split(" | ")[0],
        _GO_KINDS.get(found[2], found[2]),
        re.sub(r"\[[^\]]*\]", "", found[3] or ""),
    )
    if not place:
        return f"json: cannot unmarshal {got} into Go value of type api.{struct}"
    kind = _GO_TYPES.get(place) or _GO_DEFAULTS.get(wanted, wanted)
    return f"json: cannot unmarshal {got} into Go struct field {struct}.{place} of type {kind}"
