"""Ollama's request bodies as types, and their strict reading: wrong types are refused in Go's words."""

from typing import Final, TypeVar

import msgspec

from ..dialects.decoding_errors import unreadable
from ..http.errors import BadRequestError


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
