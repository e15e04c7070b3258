"""Ollama: its own API and part of OpenAI's and Anthropic's, many models in one process, one or few of them loaded.

One that runs may still lack a model, so its list is asked for too.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final

import msgspec

from ..routing.health import Failure
from ..routing.table import Probed, folded
from .profile import Get, Native, Profile, Way

_STATUS_BYTES: Final = 64 * 1024
"""The most that is read of an answer of which only the status counts."""
_TAGS_BYTES: Final = 4 * 1024 * 1024
"""The longest list of models that is read; Ollama writes some 400 bytes of each."""
_SMALL_BYTES: Final = 64 * 1024
"""A longer list is read in a thread, because callers would wait for it."""
_NOT_FOUND: Final = 404
_CALLS: Final = (
    *("/api/chat", "/api/generate", "/api/embed", "/api/embeddings"),
    *("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/messages", "/v1/systemone"),
)


class _Tag(msgspec.Struct, gc=False):
    name: str = ""


class _Tags(msgspec.Struct):
    models: list[_Tag] | None = None


class _Inner(msgspec.Struct):
    message: str = ""


class _Error(msgspec.Struct):
    error: _Inner | str = ""


_decode_tags = msgspec.json.Decoder(_Tags).decode
_decode_error = msgspec.json.Decoder(_Error).decode


class Ollama(Profile):
    """See the module."""

    name: ClassVar[str] = "ollama"
    title: ClassVar[str] = "Ollama"
    weights_format: ClassVar[str] = "gguf"
    inference: ClassVar[Mapping[str, Way]] = MappingProxyType({path: Native(path) for path in _CALLS})
    admin: ClassVar[frozenset[str]] = frozenset({"pull", "push", "create", "copy", "delete", "blobs"})
    holds_many: ClassVar[bool] = True
    tells_of_models: ClassVar[bool] = True
    reads_model_loosely: ClassVar[bool] = True
    probed_always: ClassVar[bool] = True

    async def probe(self, get: Get) -> Probed:
        """See `Profile`."""
        status, _ = await get("/api/version", _STATUS_BYTES)
        if status != 200:
            return Probed(alive=False)
        status, body = await get("/api/tags", _TAGS_BYTES)
        if status != 200:
            return Probed(alive=False)
        names = _names(body) if len(body) <= _SMALL_BYTES else await asyncio.to_thread(_names, body)
        return Probed(alive=True, models=names)

    def failure_of(self, status: int, body: bytes) -> Failure | None:
        """See `Profile`."""
        if status == _NOT_FOUND and says_unpulled(body):
            return Failure.NOT_PULLED
        return super().failure_of(status, body)


def says_unpulled(body: bytes) -> bool:
    """Whether the body of a 404 says that there is no such model, in the words of any API that Ollama has.

    False for those of a path, a blob or a proxy's page that was not found.
    """
    try:
        error = _decode_error(body).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    message = error.message if isinstance(error, _Inner) else error
    return message.startswith("model ") and "not found" in message


def _names(body: bytes) -> frozenset[str]:
    """The models of a list, as `folded`. Raises what a decoder raises when it is none."""
    return frozenset(folded(tag.name) for tag in _decode_tags(body).models or ())


PROFILE: Final = Ollama()
