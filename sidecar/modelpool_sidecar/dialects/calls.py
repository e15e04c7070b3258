"""What a call is: one table from method and path to dialect, operation, and each engine's own way to serve it.

Pure and closed: a path that is not here is answered 404 and never reaches an engine. The gateway's own pages (health,
metrics) are not here either; they belong to `proxy`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from ..translation import Translation
from .dialect import Dialect, Engine, Operation
from .errors import Reason, Refusal


class Kind(Enum):
    """Who answers."""

    INFERENCE = "inference"
    """The engine that serves the model named in the body."""
    CATALOG = "catalog"
    """The gateway, from its routing table."""
    ADMIN = "admin"
    """An engine, if the gateway's administration is open."""


@dataclass(frozen=True, slots=True)
class Native:
    """The engine has the call itself: the body goes to `path` untouched, but for the model's name."""

    path: str


@dataclass(frozen=True, slots=True)
class Translated:
    """The call must become another one first."""

    call: Translation


@dataclass(frozen=True, slots=True)
class Unserved:
    """The engine has nothing like it; the sentence is for the caller."""

    message: str


Upstream = Native | Translated | Unserved


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One resolved call."""

    dialect: Dialect
    operation: Operation
    kind: Kind
    method: str
    path: str
    """Without the prefix that chose the dialect."""
    upstreams: Mapping[Engine, Upstream] = field(default_factory=lambda: MappingProxyType({}))
    argument: str = ""
    """The rest of the path where it has one: a model's id, a blob's digest."""
    admin: str = ""
    """The administrative operation: pull, push, sleep, ..."""


_UNSERVED: Final = Unserved("the engine that serves this model has no such call")
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
_BOTH: Final = frozenset(Engine)
_VLLM: Final = frozenset({Engine.VLLM})
_OLLAMA: Final = frozenset({Engine.OLLAMA})


def _native(path: str, engines: frozenset[Engine]) -> Mapping[Engine, Upstream]:
    return MappingProxyType({engine: Native(path) if engine in engines else _UNSERVED for engine in Engine})


def _translated(call: Translation) -> Mapping[Engine, Upstream]:
    return MappingProxyType({Engine.VLLM: Translated(call), Engine.OLLAMA: Native(call.value)})


INFERENCE: Final[Mapping[str, tuple[Dialect, Operation, Mapping[Engine, Upstream]]]] = {
    "/api/chat": (Dialect.OLLAMA, Operation.CHAT, _translated(Translation.CHAT)),
    "/api/generate": (Dialect.OLLAMA, Operation.GENERATE, _translated(Translation.GENERATE)),
    "/api/embed": (Dialect.OLLAMA, Operation.EMBED, _translated(Translation.EMBED)),
    "/api/embeddings": (Dialect.OLLAMA, Operation.EMBED, _translated(Translation.EMBEDDING)),
    **{
        path: (dialect, operation, _native(path, engines))
        for path, dialect, operation, engines in (
            ("/v1/chat/completions", Dialect.OPENAI, Operation.CHAT, _BOTH),
            ("/v1/completions", Dialect.OPENAI, Operation.GENERATE, _BOTH),
            ("/v1/embeddings", Dialect.OPENAI, Operation.EMBED, _BOTH),
            ("/v1/responses", Dialect.OPENAI, Operation.RESPONSES, _BOTH),
            ("/v1/messages", Dialect.ANTHROPIC, Operation.CHAT, _BOTH),
            ("/v1/messages/count_tokens", Dialect.ANTHROPIC, Operation.COUNT_TOKENS, _VLLM),
            *((path, Dialect.OPENAI, Operation.SCORE, _VLLM) for path in _SCORES),
            ("/tokenize", Dialect.OPENAI, Operation.TOKENIZE, _VLLM),
            ("/detokenize", Dialect.OPENAI, Operation.TOKENIZE, _VLLM),
        )
    },
}
ADMIN: Final[Mapping[tuple[str, str], tuple[str, Engine]]] = MappingProxyType(
    {
        ("POST", "/api/pull"): ("pull", Engine.OLLAMA),
        ("POST", "/api/push"): ("push", Engine.OLLAMA),
        ("POST", "/api/create"): ("create", Engine.OLLAMA),
        ("POST", "/api/copy"): ("copy", Engine.OLLAMA),
        ("DELETE", "/api/delete"): ("delete", Engine.OLLAMA),
        ("HEAD", _BLOBS): ("blobs", Engine.OLLAMA),
        ("POST", _BLOBS): ("blobs", Engine.OLLAMA),
        ("POST", "/sleep"): ("sleep", Engine.VLLM),
        ("POST", "/wake_up"): ("wake_up", Engine.VLLM),
        ("GET", "/is_sleeping"): ("is_sleeping", Engine.VLLM),
        ("POST", "/release_kv_cache_memory"): ("release_kv_cache_memory", Engine.VLLM),
        ("POST", "/reset_prefix_cache"): ("reset_prefix_cache", Engine.VLLM),
        ("POST", "/reset_mm_cache"): ("reset_mm_cache", Engine.VLLM),
        ("POST", "/collective_rpc"): ("collective_rpc", Engine.VLLM),
        ("POST", "/v1/load_lora_adapter"): ("load_lora_adapter", Engine.VLLM),
        ("POST", "/v1/unload_lora_adapter"): ("unload_lora_adapter", Engine.VLLM),
    }
)
"""Calls that change an engine: closed unless the gateway's operator opens them, each by its name."""
_OF_VLLM: Final = frozenset(path for (_, path), (_, engine) in ADMIN.items() if engine is Engine.VLLM)

_REMEMBERED: Final = 256
"""Paths whose meaning is remembered; callers may send any."""
_PREFIXES: Final = (("/ollama/v1", "/v1"), ("/openai/v1", "/v1"), ("/ollama", ""))


def local_path(path: str) -> str:
    """The path without the prefix under which a dialect may also be reached."""
    for prefix, instead in _PREFIXES:
        if path == prefix or path.startswith(prefix + "/"):
            return instead + path.removeprefix(prefix) or "/"
    return path


@lru_cache(maxsize=_REMEMBERED)
def dialect_of(path: str) -> Dialect:
    """The dialect in which even an unknown path is answered."""
    local = local_path(path)
    if local in INFERENCE:
        return INFERENCE[local][0]
    if local == "/v1/messages" or local.startswith("/v1/messages/"):
        return Dialect.ANTHROPIC
    openai = local == "/v1" or local.startswith(("/v1/", "/v2/")) or local in _OF_VLLM
    return Dialect.OPENAI if openai else Dialect.OLLAMA


@lru_cache(maxsize=_REMEMBERED)
def resolve(method: str, path: str) -> Call | Refusal:
    """What a request asks for. `path` is decoded and without its query."""
    local = local_path(path)
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
        dialect, operation, upstreams = INFERENCE[path]
        kind = Kind.INFERENCE
        return [Call(dialect=dialect, operation=operation, kind=kind, method="POST", path=path, upstreams=upstreams)]
    if path in CATALOG:
        dialect, operation = CATALOG[path]
        return [Call(dialect=dialect, operation=operation, kind=Kind.CATALOG, method="GET", path=path)]
    if path == _SHOW:
        return [
            Call(dialect=Dialect.OLLAMA, operation=Operation.SHOW_MODEL, kind=Kind.CATALOG, method="POST", path=path)
        ]
    if path.startswith(_MODEL_BY_ID) and (model := path.removeprefix(_MODEL_BY_ID)):
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
            dialect=dialect_of(path),
            operation=Operation.ADMIN,
            kind=Kind.ADMIN,
            method=method,
            path=path,
            upstreams=MappingProxyType({engine: Native(path)}),
            argument=digest,
            admin=name,
        )
        for (method, listed), (name, engine) in ADMIN.items()
        if listed == row and (listed != _BLOBS or digest)
    ]
