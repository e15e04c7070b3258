"""Events of one stream that differ in their text alone, read without reading the rest of them again.

An engine writes hundreds of events that are the same bytes but for one JSON string. The first of them is decoded, and
proves that its bytes around that string say nothing else (`learn`); of each that begins and ends with the same bytes
only the string is decoded. Whatever differs is left to the decoder that reads everything.
"""

import re
from itertools import islice
from typing import Final

import msgspec

from ..dialects import go_json
from . import engine_chunks
from .engine_chunks import Choice, Chunk

_OPEN: Final = b"data: "
_END: Final = b"\n\n"
_FIELDS: Final = re.compile(rb'"(?:content|reasoning|reasoning_content|text)":("(?:[^"\\]|\\.)+")')
_MOST_BYTES: Final = 4096
_MOST_FIELDS: Final = 8
"""Longer events, and those with more fields of these names, teach nothing: each field costs a decoding."""
_FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError)
_decode: Final = msgspec.json.Decoder(str).decode
_NONE: Final[tuple[str, ...]] = ()


class Pattern:
    """The bytes that such events share."""

    __slots__ = (
        "_after",
        "_before",
        "_begin",
        "_between",
        "_end",
        "_raw_after",
        "_raw_before",
        "_raw_begin",
        "_raw_end",
        "_two",
        "thought",
    )

    def __init__(self, before: bytes, after: bytes, *, thought: bool) -> None:
        """`before` ends with the quote that opens the text, `after` begins with the one that closes it."""
        self._before, self._after = before, after
        self._begin, self._end = len(before) - 1, 1 - len(after)
        self._raw_before, self._raw_after = _OPEN + before, after + _END
        self._raw_begin, self._raw_end = self._begin + len(_OPEN), self._end - len(_END)
        self._between = self._raw_after + self._raw_before
        self._two = 2 * (len(self._raw_before) + len(self._raw_after))
        self.thought = thought
        """Whether the text is thinking."""

    def text(self, data: bytes) -> str | None:
        """The text of an event's data; None when it is not like the others."""
        if not (data.startswith(self._before) and data.endswith(self._after)):
            return None
        try:
            return _decode(data[self._begin : self._end])
        except _FAULTS:
            return None

    def texts(self, raw: bytes) -> tuple[tuple[str, ...], bytes]:
        """The texts of the events that `raw` begins with, as far as they are like the others, and what is left of it.

        `raw` must begin where an event begins. No text is empty.
        """
        if not raw.startswith(self._raw_before):
            return _NONE, raw
        if len(raw) >= self._two:  # several at once, or a long one
            return self._many(raw)
        if not raw.endswith(self._raw_after):
            return _NONE, raw
        try:
            text = _decode(raw[self._raw_begin : self._raw_end])
        except _FAULTS:
            return _NONE, raw
        return (text,) if text else _NONE, b""

    def plain(self, raw: bytes) -> bytes | None:
        """The inside of the text's JSON string, when `raw` is one event with a text that is plain (see `go_json`)."""
        begin, end = self._raw_begin + 1, len(raw) + self._raw_end - 1
        # Cut and compared, because compiled code does both by itself, and has to ask for `startswith`.
        if begin < end and len(raw) < self._two and raw[:begin] == self._raw_before and raw[end:] == self._raw_after:
            text = raw[begin:end]
            if go_json.is_plain(text):
                return text
        return None

    def plains(self, raw: bytes) -> tuple[list[bytes], bytes] | None:
        """The same of all such events that `raw` begins with, and what is left of it."""
        end = raw.rfind(self._raw_after)
        if end <= self._raw_begin or not raw.startswith(self._raw_before):
            return None
        texts = raw[self._raw_begin + 1 : end].split(self._between)
        if b"" in texts or not go_json.is_plain(b"".join(texts)):
            return None
        return texts, raw[end + len(self._raw_after) :]

    def _many(self, raw: bytes) -> tuple[tuple[str, ...], bytes]:
        texts: list[str] = []
        *events, rest = raw.split(self._raw_after)
        for place, event in enumerate(events):
            try:
                if not event.startswith(self._raw_before):
                    raise msgspec.DecodeError
                text = _decode(event[self._raw_begin :] + b'"')
            except _FAULTS:
                rest = self._raw_after.join((*events[place:], rest))
                break
            if text:
                texts.append(text)
        return tuple(texts), rest


def learn(data: bytes, chunk: Chunk) -> Pattern | None:
    """The pattern of an event with this data, which was decoded to `chunk`; None when it says more than a text."""
    found = _said(chunk)
    if (
        found is None or len(data) > _MOST_BYTES or b"\n" in data
    ):  # an event of several lines does not look like its data
        return None
    for place in islice(_FIELDS.finditer(data), _MOST_FIELDS):
        begin, end = place.start(1) + 1, place.end(1) - 1
        # The proof: with another string there, the event says that one instead.
        other = _said(engine_chunks.decode(b"%b?%b" % (data[:end], data[end:])))
        if other == (found[0] + "?", found[1]):
            return Pattern(data[:begin], data[end:], thought=found[1])
    return None


def _said(chunk: Chunk) -> tuple[str, bool] | None:
    """The text, and whether it is thinking, of a chunk that says nothing else."""
    if chunk.error is not None or chunk.usage is not None or len(chunk.choices) != 1:
        return None
    return _text(chunk.choices[0])


def _text(choice: Choice) -> tuple[str, bool] | None:
    if choice.index != 0 or choice.finish_reason is not None or choice.logprobs is not None:
        return None
    delta = choice.delta or choice.message
    if delta is None:
        return (choice.text, False) if choice.text else None
    thought = delta.reasoning or delta.reasoning_content
    if delta.tool_calls or bool(thought) == bool(delta.content):
        return None
    return (thought, True) if thought else (delta.content or "", False)
