"""What routing needs to know of a request, read from the raw body without re-writing it.

Only the caller's gross mistakes are found here: a body that is no JSON object, or names no model. Everything else is
left to the translator or the engine, whose messages are better.
"""

from typing import Final

import msgspec

from ..http.errors import BadRequestError
from .body_fields import NOTHING, Body, Chat, Fields, Message, Part, Parts
from .decoding_errors import unreadable
from .dialect import Dialect, Operation
from .go_json import parse_keep_alive
from .quoting import LONGEST_NAME, cut

_MOST_SPACE: Final = 1024
"""Bytes of a value that are looked at where it should say something at once."""
_SHORT_CONTENT: Final = 4096
"""Bytes of a content that may be copied to be looked into together with others."""
_ARRAY: Final = ord("[")
_NULL: Final = b"null"
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError)
"""A raw value is known to be JSON by its structure alone: its strings may still be none."""


# In constants, because to look a member up in its enumeration takes a tenth of a microsecond.
_OLLAMA: Final = Dialect.OLLAMA
_RESPONSES: Final = Operation.RESPONSES
_SHOW_MODEL: Final = Operation.SHOW_MODEL
_STREAMING: Final = (Operation.CHAT, Operation.GENERATE)


class BodyFacts:
    """The facts of one request that decide where it may go. Read-only."""

    __slots__ = ("images", "keep_alive_s", "model", "stream", "thinking", "tools")

    def __init__(
        self, *, model: str, stream: bool, images: bool, tools: bool, thinking: bool | None, keep_alive_s: float | None
    ) -> None:
        self.model = model
        self.stream = stream
        """Whether the caller wants a stream: as asked, else the dialect's default."""
        self.images = images
        self.tools = tools
        self.thinking = thinking
        """Whether thinking is asked for; None when the caller leaves it to the model."""
        self.keep_alive_s = keep_alive_s
        """Ollama's keep_alive in seconds, infinite when negative, None when absent."""


_BODY: Final = msgspec.json.Decoder(Body)
_CHAT: Final = msgspec.json.Decoder(Chat)
_MESSAGES: Final = msgspec.json.Decoder(list[Message])
_PARTS: Final = msgspec.json.Decoder(Parts)
_MANY_PARTS: Final = msgspec.json.Decoder(list[Parts])
_IMAGE_PARTS: Final = frozenset({"image", "image_url", "input_image"})


def facts_of(body: bytes, dialect: Dialect, operation: Operation) -> BodyFacts:
    """Read them from a body of JSON. Raises BadRequestError, worded as the caller's dialect words it."""
    if not body or body.isspace():
        raise BadRequestError("missing request body")
    found, messages = _read(body, operation)
    model = found.model or (found.name if operation is _SHOW_MODEL else None)
    if not model:
        raise BadRequestError("model is required")
    if len(model) > LONGEST_NAME:
        raise BadRequestError(f"invalid model name: {cut(model)}")
    is_ollama = dialect is _OLLAMA
    streams = found.stream
    return BodyFacts(
        model=model,
        stream=is_ollama and operation in _STREAMING if streams is None else streams,
        images=_filled(found.images) or _have_images(messages),
        tools=_filled(found.tools),
        thinking=_thinking(found),
        keep_alive_s=_keep_alive(found.keep_alive) if is_ollama else None,
    )


def _struct_name(operation: Operation) -> str:
    names = {
        Operation.GENERATE: "GenerateRequest",
        Operation.EMBED: "EmbedRequest",
        Operation.SHOW_MODEL: "ShowRequest",
    }
    return names.get(operation, "ChatRequest")


def _is_array(raw: msgspec.Raw) -> bool:
    return raw is not NOTHING and memoryview(raw)[0] == _ARRAY


def _filled(raw: msgspec.Raw) -> bool:
    return _is_array(raw) and _begun(raw).strip(b"[] \t\r\n") != b""


def _begun(raw: msgspec.Raw) -> bytes:
    """The raw value as far as somebody may want to look into it."""
    return bytes(memoryview(raw)[:_MOST_SPACE])


def _read(body: bytes, operation: Operation) -> tuple[Fields, list[Message]]:
    """The body and its messages. Messages of another shape are none here: whoever needs them refuses them better."""
    if operation is not _RESPONSES:
        try:
            chat = _CHAT.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass  # read again, to tell what is wrong with it if it is not the messages
        else:
            return chat, chat.messages
    try:
        found = _BODY.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error, body, _struct_name(operation)) from error
    raw = found.input if operation is _RESPONSES else found.messages
    if not _is_array(raw):
        return found, []
    try:
        return found, _MESSAGES.decode(raw)
    except _UNREADABLE:
        return found, []


def _have_images(messages: list[Message]) -> bool:
    short: list[msgspec.Raw] = []
    for message in messages:
        content, images = message.content, message.images
        if content is not NOTHING:
            text = memoryview(content)
            if text[0] == _ARRAY:
                if len(text) <= _SHORT_CONTENT:
                    short.append(content)
                elif _has_image(content):
                    return True
        if images is not NOTHING and _filled(images):
            return True
    # In one call, because they may be many.
    return bool(short) and _have_image(b"[" + b",".join(short) + b"]")


def _has_image(content: msgspec.Raw) -> bool:
    try:
        return _shows(_PARTS.decode(content))
    except _UNREADABLE:
        return False


def _have_image(contents: bytes) -> bool:
    try:
        found = _MANY_PARTS.decode(contents)
    except _UNREADABLE:
        return False
    for parts in found:  # noqa: SIM110 -- twice as fast
        if _shows(parts):
            return True
    return False


def _shows(parts: Parts) -> bool:
    for part in parts:
        if isinstance(part, Part):
            kind = part.type
            if isinstance(kind, str) and kind in _IMAGE_PARTS:
                return True
    return False


def _thinking(body: Fields) -> bool | None:
    if body.think is body.thinking is body.reasoning_effort is NOTHING:
        return None
    for raw, off in ((body.think, b"false"), (body.reasoning_effort, b'"none"')):
        value = _begun(raw)
        if value and value != _NULL:
            return value != off
    value = _begun(body.thinking)
    if value in (b"", _NULL):
        return None
    return b'"disabled"' not in value


def _keep_alive(raw: msgspec.Raw) -> float | None:
    if raw is NOTHING:
        return None
    value = _begun(raw)
    if not value or value == _NULL:
        return None
    if len(value) == _MOST_SPACE:
        raise BadRequestError(f"time: invalid duration {cut(value.decode(errors='replace'))}")
    try:
        decoded = msgspec.json.decode(value)
    except _UNREADABLE as error:
        raise unreadable(error, value, "ChatRequest") from error
    return parse_keep_alive(decoded)
