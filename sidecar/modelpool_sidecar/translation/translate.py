"""What others call of this package: one function for all four calls."""

import codecs
from enum import Enum
from typing import Final, assert_never

from ..dialects.answer import Answer
from ..http.errors import BadRequestError
from . import chat, embed, generate
from .exchange import Backend, Exchange


class Translation(Enum):
    """The calls of Ollama that vLLM does not have."""

    CHAT = "/api/chat"
    GENERATE = "/api/generate"
    EMBED = "/api/embed"
    EMBEDDING = "/api/embeddings"


_BLOCK_BYTES: Final = 256 * 1024


def translate(call: Translation, body: bytes, backend: Backend, *, epoch_ns: int) -> Exchange | Answer:
    """The call for vLLM, or the answer where no engine is needed. `epoch_ns` is the wall clock.

    Raises BadRequestError.
    """
    if not body.isascii():
        _check_text(body)
    match call:
        case Translation.CHAT:
            return chat.translate(body, backend, epoch_ns=epoch_ns)
        case Translation.GENERATE:
            return generate.translate(body, backend, epoch_ns=epoch_ns)
        case Translation.EMBED:
            return embed.translate(body, backend)
        case Translation.EMBEDDING:
            return embed.translate_single(body, backend)
        case _:
            assert_never(call)


def _check_text(body: bytes) -> None:
    """What goes to the engine as it is, like a tool's schema, is read by nobody here. Raises BadRequestError."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for begin in range(0, len(body), _BLOCK_BYTES):
            end = begin + _BLOCK_BYTES
            decoder.decode(body[begin:end], final=end >= len(body))
    except UnicodeDecodeError as error:
        raise BadRequestError("the request body is not valid UTF-8") from error
