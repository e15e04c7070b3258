"""What a call is: one table from method and path to dialect and operation. Engines say themselves which they have.

Pure and closed: a path that is not here is answered 404 and never reaches an engine. The gateway's own pages (health,
metrics) are not here either; they belong to `serving`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from .dialect import Dialect, Operation
from .errors import Reason, Refusal


class Kind(Enum):
    """Who answers."""

    INFERENCE = "inference"
    """The engine that serves the model named in the body."""
    CATALOG = "catalog"
    """The gateway, from its routing table."""
    ADMIN = "admin"
    """An engine, if the gateway's administration is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One resolved call."""

    dialect: Dialect
    operation: Operation
    kind: Kind
    method: str
    path: str
    """Without the prefix that chose the dialect."""
    argument: str = ""
    """The rest of the path where it has one: a model's id, a blob's digest."""
    admin: str = ""
    """The administrative operation: pull, push, sleep, ..."""


ANTHROPIC_HEADER: Final = "anthropic-version"
"""Sent by all clients of Anthropic's API: it tells their list of models from OpenAI's, which has the same path."""
CATALOG: Final = {
    "/": (Dialect.OLLAMA, Operation.ROOT),
    "/api/version": (Dialect.OLLAMA, Operation.VERSION),
    "/api/tags": (Dialect.OLLAMA, Operation.LIST_MODELS),
    "/api/ps": (Dialect.OLLAMA, Operation.LIST_RESIDENT),
    "/v1/models": (Dialect.OPENAI, Operation.LIST_MODELS),
}
_MODEL_BY_ID: Final = "/v1/models/"
_SHOW: Final = "/api/show"
_BLOBS: Final = "/api/blobs/"
_DIGEST: Final = re.compile(r"sha256[:-][0-9a-fA-F]{64}").fullmatch
"""What Ollama takes for a digest."""

_SCORES: Final = ("/v1/rerank", "/v2/rerank", "/rerank", "/v1/score", "/score")
INFERENCE: Final[Mapping[str, tuple[Dialect, Operation]]] = MappingProxyType(
    {
        "/api/chat": (Dialect.OLLAMA, Operation.CHAT),
        "/api/generate": (Dialect.OLLAMA, Operation.GENERATE),
        "/api/embed": (Dialect.OLLAMA, Operation.EMBED),
        "/api/embeddings": (Dialect.OLLAMA, Operation.EMBED),
        "/v1/chat/completions": (Dialect.OPENAI, Operation.CHAT),
        "/v1/completions": (Dialect.OPENAI, Operation.GENERATE),
        "/v1/embeddings": (Dialect.OPENAI, Operation.EMBED),
        "/v1/responses": (Dialect.OPENAI, Operation.RESPONSES),
        "/v1/systemone": (Dialect.OLLAMA, Operation.SYSTEM_ONE),  # Ollama's own, whose clients read its errors
        "/v1/messages": (Dialect.ANTHROPIC, Operation.CHAT),
        "/v1/messages/count_tokens": (Dialect.ANTHROPIC, Operation.COUNT_TOKENS),
        **dict.fromkeys(_SCORES, (Dialect.OPENAI, Operation.SCORE)),
        "/v1/audio/transcriptions": (Dialect.OPENAI, Operation.TRANSCRIBE),
        "/v1/audio/translations": (Dialect.OPENAI, Operation.TRANSCRIBE),
        "/tokenize": (Dialect.OPENAI, Operation.TOKENIZE),
        "/detokenize": (Dialect.OPENAI, Operation.TOKENIZE),
    }
)
"""Calls for a model, which is named in the body."""
ADMIN: Final[Mapping[tuple[str, str], tuple[str, Dialect]]] = MappingProxyType(
    {
        ("POST", "/api/pull"): ("pull", Dialect.OLLAMA),
        ("POST", "/api/push"): ("push", Dialect.OLLAMA),
        ("POST", "/api/create"): ("create", Dialect.OLLAMA),
        ("POST", "/api/copy"): ("copy", Dialect.OLLAMA),
        ("DELETE", "/api/delete"): ("delete", Dialect.OLLAMA),
        ("HEAD", _BLOBS): ("blobs", Dialect.OLLAMA),
        ("POST", _BLOBS): ("blobs", Dialect.OLLAMA),
        ("POST", "/sleep"): ("sleep", Dialect.OPENAI),
        ("POST", "/wake_up"): ("wake_up", Dialect.OPENAI),
        ("GET", "/is_sleeping"): ("is_sleeping", Dialect.OPENAI),
        ("POST", "/release_kv_cache_memory"): ("release_kv_cache_memory", Dialect.OPENAI),
        ("POST", "/reset_prefix_cache"): ("reset_prefix_cache", Dialect.OPENAI),
        ("POST", "/reset_mm_cache"): ("reset_mm_cache", Dialect.OPENAI),
        ("POST", "/collective_rpc"): ("collective_rpc", Dialect.OPENAI),
        ("POST", "/v1/load_lora_adapter"): ("load_lora_adapter", Dialect.OPENAI),
        ("POST", "/v1/unload_lora_adapter"): ("unload_lora_adapter", Dialect.OPENAI),
    }
)
"""Calls that change an engine: closed unless the gateway's operator opens them, each by its name."""
_ADMIN_DIALECTS: Final = {path: dialect for (_, path), (_, dialect) in ADMIN.items()}

_REMEMBERED: Final = 256
"""Paths whose meaning is remembered; callers may send any."""
_PREFIXES: Final = (("/ollama/v1", "/v1"), ("/openai/v1", "/v1"), ("/ollama", ""))
_SLASHES: Final = re.compile("//+")


def tidy(path: str) -> str:
    """The path with single slashes and none at its end: what both engines redirect to, and base URLs often spoil."""
    return _SLASHES.sub("/", path).rstrip("/") or "/"


def local_path(path: str) -> str:
    """The path without the prefix under which a dialect may also be reached."""
    for prefix, instead in _PREFIXES:
        if path == prefix or path.startswith(prefix + "/"):
            return instead + path.removeprefix(prefix) or "/"
    return path


@lru_cache(maxsize=_REMEMBERED)
def dialect_of(path: str) -> Dialect:
    """The dialect in which even an unknown path is answered."""
    local = local_path(tidy(path))
    if local in INFERENCE:
        return INFERENCE[local][0]
    if local == "/v1/messages" or local.startswith("/v1/messages/"):
        return Dialect.ANTHROPIC
    if local == "/v1" or local.startswith(("/v1/", "/v2/")):
        return Dialect.OPENAI
    return _ADMIN_DIALECTS.get(local, Dialect.OLLAMA)


@lru_cache(maxsize=_REMEMBERED)
def resolve(method: str, path: str) -> Call | Refusal:
    """What a request asks for. `path` is decoded and without its query.

    A path that is spoilt by slashes asks for what it would without them, but for administration: that is asked for by
    its own spelling alone, so that whoever stands before the gateway can forbid it by its path.
    """
    found = _resolved(method, local_path(path))
    if isinstance(found, Refusal) and found.reason is Reason.UNKNOWN_PATH and (tidied := tidy(path)) != path:
        local = local_path(tidied)
        if not (_admin(local) or local.startswith(_BLOBS)):
            return _resolved(method, local)
    return found


def _resolved(method: str, local: str) -> Call | Refusal:
    allowed: list[str] = []
    for call in _candidates(local):
        if call.method == method or (method == "HEAD" and call.method == "GET"):
            return call
        allowed.append(call.method)
    if allowed:
        return Refusal(reason=Reason.METHOD_NOT_ALLOWED, allow=", ".join(allowed))
    if local.startswith(_BLOBS) and "/" not in (digest := local.removeprefix(_BLOBS)) and digest:
        return Refusal(reason=Reason.BAD_REQUEST, detail="invalid digest format")
    return Refusal(reason=Reason.UNKNOWN_PATH)


def _candidates(path: str) -> list[Call]:
    if path in INFERENCE:
        dialect, operation = INFERENCE[path]
        return [Call(dialect=dialect, operation=operation, kind=Kind.INFERENCE, method="POST", path=path)]
    if path in CATALOG:
        dialect, operation = CATALOG[path]
        return [Call(dialect=dialect, operation=operation, kind=Kind.CATALOG, method="GET", path=path)]
    if path == _SHOW:
        return [
            Call(dialect=Dialect.OLLAMA, operation=Operation.SHOW_MODEL, kind=Kind.CATALOG, method="POST", path=path)
        ]
    if path.startswith(_MODEL_BY_ID) and (model := path.removeprefix(_MODEL_BY_ID)) and tidy(path) == path:
        show = Operation.SHOW_MODEL
        dialect = Dialect.OPENAI
        return [Call(dialect=dialect, operation=show, kind=Kind.CATALOG, method="GET", path=path, argument=model)]
    return _admin(path)


def _admin(path: str) -> list[Call]:
    """The calls at a path. Of a blob's digest only what is one: the rest of such a path goes to an engine."""
    digest = path.removeprefix(_BLOBS) if path.startswith(_BLOBS) else ""
    if digest and _DIGEST(digest) is None:
        return []
    row = _BLOBS if digest else path
    return [
        Call(
            dialect=dialect,
            operation=Operation.ADMIN,
            kind=Kind.ADMIN,
            method=method,
            path=path,
            argument=digest,
            admin=name,
        )
        for (method, listed), (name, dialect) in ADMIN.items()
        if listed == row and (listed != _BLOBS or digest)
    ]
