"""The answers about models and about the gateway itself, from plain descriptions of the models.

What is not known of a model is left out, or is empty where Ollama itself writes an empty text for it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from . import go_json, modelfile
from .answer import PLAIN_JSON, Answer
from .go_json import rfc3339

OLLAMA_VERSION: Final = "0.33.0"
"""The version of Ollama's API that the gateway speaks; clients compare it with the one they need."""
_FOREVER_NS: Final = 2**63 - 1
_NS: Final = 1_000_000_000
_GENERAL: Final = "general"
"""Where GGUF keeps what belongs to no architecture: for numbers of a model whose architecture is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What the gateway tells about a model."""

    name: str
    engine: str
    """The kind of engine that serves it, by its name."""
    created_ns: int | None = None
    """Wall clock, nanoseconds."""
    weights_format: str = "safetensors"
    """As Ollama names formats: gguf or safetensors."""
    aliases: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ("completion",)
    context_length: int | None = None
    """Tokens that it is served with."""
    trained_context_length: int | None = None
    embedding_length: int | None = None
    parameter_size: str = ""
    quantization: str = ""
    family: str = ""
    """Its architecture, as Ollama names it."""
    parameters: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    """How it samples where a request does not say."""
    size_bytes: int = 0
    """Of the weights; 0 when unknown."""
    memory_bytes: int = 0
    """Of the card, while resident; 0 when unknown."""
    resident: bool = False
    """Whether an engine holds it now, for as long as the engine runs."""
    listed: Mapping[str, object] | None = None
    """What its engine itself says of it in `/api/tags`, if it has that call and was asked."""
    loaded: Mapping[str, object] | None = None
    """Likewise in `/api/ps`, while it holds the model."""

    @property
    def known_context(self) -> int | None:
        """Tokens that it is served with, else those that it was trained for: no more than these have a use."""
        return self.trained_context_length if self.context_length is None else self.context_length


def root() -> Answer:
    """GET /: what clients take for a sign of life."""
    return Answer(body=b"Ollama is running", content_type="text/plain; charset=utf-8")


def version(text: str = OLLAMA_VERSION) -> Answer:
    """GET /api/version."""
    return Answer(body=go_json.encode({"version": text}))


def tags(cards: Iterable[ModelCard]) -> Answer:
    """GET /api/tags: every name that may be asked for, aliases too: clients look a name up before they use it."""
    models = [
        _named(card.listed, name) if card.listed is not None else _tag(card, name)
        for card in cards
        for name in _names(card)
    ]
    return Answer(body=go_json.encode({"models": models}))


def resident(cards: Iterable[ModelCard], *, epoch_ns: int) -> Answer:
    """GET /api/ps: the models that an engine holds, by all their names.

    An engine that unloads models says itself until when it holds one. Others keep theirs for Ollama's for ever, 292
    years.
    """
    expires = rfc3339(epoch_ns + _FOREVER_NS)
    models: list[dict[str, object]] = []
    for card in cards:
        if card.resident:
            models.extend(_resident(card, name, expires) for name in _names(card))
        elif card.loaded is not None:
            models.extend(_named(card.loaded, name) for name in _names(card))
    return Answer(body=go_json.encode({"models": models}))


def show(card: ModelCard) -> Answer:
    """POST /api/show."""
    written = modelfile.written(card.engine, card.name, card.capabilities, card.parameters)
    document: dict[str, object] = {"modelfile": written}
    if card.parameters:
        document["parameters"] = modelfile.listed(card.parameters)
    document["template"] = modelfile.template(card.engine, card.capabilities)
    document["details"] = _details(card)
    document["model_info"] = _info(card)
    document["capabilities"] = list(card.capabilities)
    if card.created_ns is not None:
        document["modified_at"] = rfc3339(card.created_ns)
    return Answer(body=go_json.encode(document))


def models(cards: Iterable[ModelCard]) -> Answer:
    """GET /v1/models."""
    data = [_model(card, name) for card in cards for name in _names(card)]
    return Answer(body=go_json.encode({"object": "list", "data": data}), content_type=PLAIN_JSON)


def model(card: ModelCard, name: str) -> Answer:
    """GET /v1/models/{id}; `name` is the id as it was asked for."""
    return Answer(body=go_json.encode(_model(card, name)), content_type=PLAIN_JSON)


def anthropic_models(cards: Iterable[ModelCard]) -> Answer:
    """GET /v1/models for a client of Anthropic's API: one page that holds all."""
    data = [_anthropic(card, name) for card in cards for name in _names(card)]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {"first_id": None, "last_id": None}
    return Answer(body=go_json.encode({"data": data, "has_more": False, **ends}), content_type=PLAIN_JSON)


def anthropic_model(card: ModelCard, name: str) -> Answer:
    """GET /v1/models/{id} for a client of Anthropic's API."""
    return Answer(body=go_json.encode(_anthropic(card, name)), content_type=PLAIN_JSON)


def _names(card: ModelCard) -> Iterator[str]:
    yield card.name
    yield from card.aliases


def _named(card: Mapping[str, object], name: str) -> dict[str, object]:
    """What an engine said of a model, under a name of ours."""
    return {**card, "name": name, "model": name}


def _tag(card: ModelCard, name: str) -> dict[str, object]:
    details = _details(card)
    if card.known_context is not None:
        details["context_length"] = card.known_context
    if card.embedding_length is not None:
        details["embedding_length"] = card.embedding_length
    entry: dict[str, object] = {"name": name, "model": name}
    if card.created_ns is not None:
        entry["modified_at"] = rfc3339(card.created_ns)
    if card.size_bytes:
        entry["size"] = card.size_bytes
    return entry | {"digest": _digest(card), "details": details, "capabilities": list(card.capabilities)}


def _resident(card: ModelCard, name: str, expires: str) -> dict[str, object]:
    entry: dict[str, object] = {"name": name, "model": name}
    if size := card.memory_bytes or card.size_bytes:
        entry["size"] = size
    entry |= {"digest": _digest(card), "details": _details(card), "expires_at": expires}
    if card.memory_bytes:
        entry["size_vram"] = card.memory_bytes
    if card.context_length is not None:
        entry["context_length"] = card.context_length
    return entry


def _details(card: ModelCard) -> dict[str, object]:
    return {
        "parent_model": "",
        "format": card.weights_format,
        "family": card.family,
        "families": [card.family] if card.family else None,
        "parameter_size": card.parameter_size,
        "quantization_level": card.quantization,
    }


def _info(card: ModelCard) -> dict[str, object]:
    """What of a GGUF file's header is known without one."""
    info: dict[str, object] = {}
    if card.family:
        info["general.architecture"] = card.family
    if card.parameter_size:
        info["general.size_label"] = card.parameter_size
    prefix = card.family or _GENERAL
    if card.known_context is not None:
        info[f"{prefix}.context_length"] = card.known_context
    if card.embedding_length is not None:
        info[f"{prefix}.embedding_length"] = card.embedding_length
    return info


def _digest(card: ModelCard) -> str:
    """An identity in the form of Ollama's digest: equal for the names of one model, different between models."""
    return hashlib.sha256(f"{card.engine}\n{card.name}\n{card.created_ns or 0}".encode()).hexdigest()


def _anthropic(card: ModelCard, name: str) -> dict[str, object]:
    # Where the date is unknown, Anthropic's API says the beginning of its time.
    return {"type": "model", "id": name, "display_name": card.name, "created_at": rfc3339(card.created_ns or 0)}


def _model(card: ModelCard, name: str) -> dict[str, object]:
    described: dict[str, object] = {"id": name, "object": "model"}
    if card.created_ns is not None:
        described["created"] = card.created_ns // _NS
    described |= {"owned_by": "modelpool", "root": card.name, "parent": None}
    if card.context_length is not None:
        described["max_model_len"] = card.context_length
    return described
