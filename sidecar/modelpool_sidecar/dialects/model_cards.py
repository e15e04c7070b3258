"""The answers about models and about the gateway itself, from plain descriptions of the models."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from . import go_json
from .answer import PLAIN_JSON, Answer
from .go_json import rfc3339

OLLAMA_VERSION: Final = "0.33.0"
"""The version of Ollama's API that the gateway speaks; clients compare it with the one they need."""
_FOREVER_NS: Final = 2**63 - 1
_NS: Final = 1_000_000_000
_UNKNOWN_FAMILY: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What the gateway tells about a model."""

    name: str
    engine: str
    """The kind of engine that serves it, by its name."""
    created_ns: int
    """Wall clock, nanoseconds."""
    weights_format: str = "safetensors"
    """As Ollama names formats: gguf or safetensors."""
    aliases: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ("completion",)
    context_length: int | None = None
    parameter_size: str = ""
    quantization: str = ""
    family: str = ""
    size_bytes: int = 0
    """Of the weights; 0 when unknown."""
    memory_bytes: int = 0
    """Of the card, while resident; 0 when unknown."""
    resident: bool = False
    """Whether an engine holds it now."""
    expires_ns: int | None = None
    """Wall clock at which a resident model will be unloaded; None when it stays."""


def root() -> Answer:
    """GET /: what clients take for a sign of life."""
    return Answer(body=b"Ollama is running", content_type="text/plain; charset=utf-8")


def version(text: str = OLLAMA_VERSION) -> Answer:
    """GET /api/version."""
    return Answer(body=go_json.encode({"version": text}))


def tags(cards: Iterable[ModelCard]) -> Answer:
    """GET /api/tags: every name that may be asked for, aliases too: clients look a name up before they use it."""
    models = [_entry(card, name) | _tag(card) for card in cards for name in _names(card)]
    return Answer(body=go_json.encode({"models": models}))


def resident(cards: Iterable[ModelCard], *, epoch_ns: int) -> Answer:
    """GET /api/ps: the models that an engine holds. One without an end is kept for Ollama's for ever, 292 years."""
    models = []
    for card in cards:
        if not card.resident:
            continue
        expires = card.expires_ns if card.expires_ns is not None else epoch_ns + _FOREVER_NS
        entry: dict[str, object] = {
            "name": card.name,
            "model": card.name,
            "size": card.memory_bytes or card.size_bytes,
            "digest": _digest(card),
            "details": _details(card),
            "expires_at": rfc3339(expires),
            "size_vram": card.memory_bytes,
        }
        if card.context_length is not None:
            entry["context_length"] = card.context_length
        models.append(entry)
    return Answer(body=go_json.encode({"models": models}))


def show(card: ModelCard) -> Answer:
    """POST /api/show. The template belongs to the engine; clients only look whether there is one."""
    family = card.family or _UNKNOWN_FAMILY
    info: dict[str, object] = {"general.architecture": family, "general.basename": card.name}
    if card.parameter_size:
        info["general.size_label"] = card.parameter_size
    if card.context_length is not None:
        info[f"{family}.context_length"] = card.context_length
    document = {
        "modelfile": f"# Served by {card.engine}\nFROM {card.name}\n",
        "template": "{{ .Prompt }}",
        "details": _details(card),
        "model_info": info,
        "capabilities": list(card.capabilities),
        "modified_at": rfc3339(card.created_ns),
    }
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


def _entry(card: ModelCard, name: str) -> dict[str, object]:
    return {"name": name, "model": name, "modified_at": rfc3339(card.created_ns), "size": card.size_bytes}


def _tag(card: ModelCard) -> dict[str, object]:
    details = _details(card)
    if card.context_length is not None:
        details["context_length"] = card.context_length
    return {"digest": _digest(card), "details": details, "capabilities": list(card.capabilities)}


def _details(card: ModelCard) -> dict[str, object]:
    family = card.family or _UNKNOWN_FAMILY
    return {
        "parent_model": "",
        "format": card.weights_format,
        "family": family,
        "families": [family],
        "parameter_size": card.parameter_size,
        "quantization_level": card.quantization,
    }


def _digest(card: ModelCard) -> str:
    """An identity in the form of Ollama's digest: equal for the names of one model, different between models."""
    return hashlib.sha256(f"{card.engine}\n{card.name}\n{card.created_ns}".encode()).hexdigest()


def _anthropic(card: ModelCard, name: str) -> dict[str, object]:
    return {"type": "model", "id": name, "display_name": card.name, "created_at": rfc3339(card.created_ns)}


def _model(card: ModelCard, name: str) -> dict[str, object]:
    described: dict[str, object] = {
        "id": name,
        "object": "model",
        "created": card.created_ns // _NS,
        "owned_by": "modelpool",
        "root": card.name,
        "parent": None,
    }
    if card.context_length is not None:
        described["max_model_len"] = card.context_length
    return described
