"""Ollama's request bodies as types, and their strict reading: wrong types are refused in Go's words."""

from collections.abc import Sequence
from functools import partial
from typing import Final, TypeVar

import msgspec

from ..dialects.decoding_errors import unreadable
from ..http.errors import BadRequestError
from .call_ids import ToolTurns
from .images import data_uri


class Function(msgspec.Struct, gc=False):
    """The call inside a tool call."""

    name: str | None = None
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class ToolCall(msgspec.Struct, gc=False):
    """A call that the assistant made in an earlier turn."""

    function: Function | None = None
    id: str | None = None


class Message(msgspec.Struct, gc=False):
    """One turn of a conversation."""

    role: str | None = None
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


class Prompted(msgspec.Struct, kw_only=True):
    """What generate and chat share."""

    model: str
    stream: bool | None = None
    format: msgspec.Raw = msgspec.Raw(b"null")
    options: dict[str, object] | None = None
    keep_alive: float | str | None = None
    think: bool | str | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    truncate: bool | None = None


class ChatRequest(Prompted, kw_only=True):
    """POST /api/chat."""

    messages: list[Message] | None = None
    tools: list[msgspec.Raw] | None = None


class GenerateRequest(Prompted, kw_only=True):
    """POST /api/generate."""

    prompt: str | None = None
    suffix: str | None = None
    system: str | None = None
    template: str | None = None
    context: list[int] | None = None
    raw: bool | None = None
    images: list[str] | None = None


class EmbedRequest(msgspec.Struct, kw_only=True):
    """POST /api/embed."""

    model: str
    input: msgspec.Raw = msgspec.Raw(b"null")
    truncate: bool | None = None
    dimensions: int | None = None
    options: dict[str, object] | None = None


class EmbeddingRequest(msgspec.Struct, kw_only=True):
    """POST /api/embeddings, the older one."""

    model: str
    prompt: str | None = None
    options: dict[str, object] | None = None


_Request = TypeVar("_Request")
_NO_ARGUMENTS: Final = ("", "null")

_CHAT: Final = msgspec.json.Decoder(ChatRequest)
_GENERATE: Final = msgspec.json.Decoder(GenerateRequest)
_EMBED: Final = msgspec.json.Decoder(EmbedRequest)
_EMBEDDING: Final = msgspec.json.Decoder(EmbeddingRequest)


def chat(body: bytes) -> ChatRequest:
    """Raises BadRequestError."""
    return _read(_CHAT, body, "ChatRequest")


def generate(body: bytes) -> GenerateRequest:
    """Raises BadRequestError."""
    return _read(_GENERATE, body, "GenerateRequest")


def embed(body: bytes) -> EmbedRequest:
    """Raises BadRequestError."""
    return _read(_EMBED, body, "EmbedRequest")


def embedding(body: bytes) -> EmbeddingRequest:
    """Raises BadRequestError."""
    return _read(_EMBEDDING, body, "EmbeddingRequest")


def _read(decoder: msgspec.json.Decoder[_Request], body: bytes, struct: str) -> _Request:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if "missing required field `model`" in str(error):
            raise BadRequestError("model is required") from error
        raise unreadable(error, body, struct) from error


class _Function(msgspec.Struct, gc=False):
    name: str
    arguments: str


class _Call(msgspec.Struct, gc=False, tag_field="type", tag="function"):
    """A tool call for vLLM. A structure, like a turn, because many take a quarter of the memory of dicts."""

    id: str
    function: _Function


class Turn(msgspec.Struct, gc=False, omit_defaults=True):
    """One turn for vLLM."""

    role: str
    content: str | list[dict[str, object]]
    reasoning_content: str = ""
    tool_calls: list[_Call] = []
    tool_call_id: str = ""
    name: str = ""


def conversation(messages: Sequence[Message]) -> list[Turn]:
    """The same conversation for vLLM. Raises BadRequestError for an image that is none."""
    calls: ToolTurns | None = None
    out: list[Turn] = []
    for message in messages:
        one = Turn(message.role or "", content(message.content or "", message.images))
        one.reasoning_content = message.thinking or ""
        if calls is None and (message.tool_calls or message.role == "tool"):
            calls = ToolTurns(partial(_given_ids, messages))
        if calls is not None and message.tool_calls:
            one.tool_calls = [_call(call, call.id or calls.new_id()) for call in message.tool_calls]
            calls.begin([call.id for call in one.tool_calls], [call.function.name for call in one.tool_calls])
        if calls is not None and message.role == "tool":
            one.name = message.tool_name or ""
            one.tool_call_id = calls.answered(message.tool_call_id or "", one.name)
        out.append(one)
    return out


def ids(messages: Sequence[Message]) -> set[str]:
    """Those of all tool calls of a conversation, as vLLM is told them."""
    turns = conversation(messages)
    return {call.id for turn in turns for call in turn.tool_calls} | {turn.tool_call_id for turn in turns}


def _given_ids(messages: Sequence[Message]) -> set[str]:
    calls = {call.id or "" for message in messages for call in message.tool_calls or ()}
    return calls | {message.tool_call_id or "" for message in messages}


def content(text: str, images: Sequence[str] | None) -> str | list[dict[str, object]]:
    """The text alone, or with its images as parts."""
    if not images:
        return text
    parts: list[dict[str, object]] = [{"type": "text", "text": text}] if text else []
    parts.extend({"type": "image_url", "image_url": {"url": data_uri(image)}} for image in images)
    return parts


def _call(call: ToolCall, its_id: str) -> _Call:
    function = call.function
    if function is None:
        return _Call(its_id, _Function("", "{}"))
    arguments = bytes(function.arguments)
    text = msgspec.json.decode(arguments, type=str) if arguments.startswith(b'"') else arguments.decode()
    return _Call(its_id, _Function(function.name or "", "{}" if text.strip() in _NO_ARGUMENTS else text))
