"""What the gateway tells about models: the routing table as the protocols' model cards. Remembers lists, else pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from ..dialects import model_cards
from ..dialects.answer import Answer
from ..dialects.calls import Call
from ..dialects.dialect import Dialect, Operation
from ..dialects.errors import Reason, Refusal
from ..dialects.model_cards import ModelCard
from ..engines.registry import Profiles
from ..routing.documents import UNDATED
from ..routing.table import Model, RoutingTable
from .engine_catalog import LISTS, NOTHING, Facts

_DEFAULT_CAPABILITIES: Final = ("completion",)
_NS: Final = 1_000_000_000
_LAST_S: Final = 253_370_764_800
"""The year 9999: what lies beyond cannot be written."""


class _Made(NamedTuple):
    """A list, and what it was made of."""

    second: int
    """For which, or 0."""
    facts: Mapping[str, Facts]
    answer: Answer


class Models:
    """The answers to calls about models. A list is made once per table and what engines say, and once per second where
    it tells times.
    """

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles
        self._table: RoutingTable | None = None
        self._lists: dict[tuple[Operation, Dialect], _Made] = {}

    def answer(
        self, call: Call, table: RoutingTable, asked: str, *, epoch_ns: int, facts: Mapping[str, Facts] = NOTHING
    ) -> Answer | Refusal:
        """The answer to a call. `asked` is the model's name where the call has one.

        `facts`: what engines say of models, by name: of those in memory for `/api/ps`, else of those on disk.
        """
        if call.operation not in LISTS:
            return self._other(call, table, asked, facts)
        if table is not self._table:
            self._table = table
            self._lists.clear()
        key = call.operation, call.dialect
        second = epoch_ns // _NS if call.operation is Operation.LIST_RESIDENT else 0
        made = self._lists.get(key)
        if made is None or made.second != second or made.facts != facts:
            made = self._lists[key] = _Made(second, facts, self._list(call, table, facts, epoch_ns=second * _NS))
        return made.answer

    def _list(self, call: Call, table: RoutingTable, facts: Mapping[str, Facts], *, epoch_ns: int) -> Answer:
        if call.operation is Operation.LIST_RESIDENT:
            cards = [card(model, self._profiles, loaded=facts) for model in table.models]
            return model_cards.resident(cards, epoch_ns=epoch_ns)
        cards = [card(model, self._profiles, listed=facts) for model in table.models]
        match call.dialect:
            case Dialect.OLLAMA:
                return model_cards.tags(cards)
            case Dialect.ANTHROPIC:
                return model_cards.anthropic_models(cards)
            case _:
                return model_cards.models(cards)

    def _other(self, call: Call, table: RoutingTable, asked: str, facts: Mapping[str, Facts]) -> Answer | Refusal:
        match call.operation:
            case Operation.ROOT:
                return model_cards.root()
            case Operation.VERSION:
                return model_cards.version()
            case _:
                return self._one(call, table, asked, facts)

    def _one(self, call: Call, table: RoutingTable, asked: str, facts: Mapping[str, Facts]) -> Answer | Refusal:
        found = table.find(asked)
        if found is None:
            return Refusal(reason=Reason.UNKNOWN_MODEL, detail=asked, operation=call.operation)
        if call.dialect is Dialect.OLLAMA:
            return model_cards.show(card(found, self._profiles))
        described = card(found, self._profiles, listed=facts)
        if call.dialect is Dialect.ANTHROPIC:
            return model_cards.anthropic_model(described, asked)
        return model_cards.model(described, asked)


def card(
    model: Model, profiles: Profiles, *, listed: Mapping[str, Facts] = NOTHING, loaded: Mapping[str, Facts] = NOTHING
) -> ModelCard:
    """One model as clients are told of it: by its preferred backend, resident while one is ready that unloads nothing.

    `listed`, `loaded`: what engines say of models on disk and in memory, by the models' names.
    """
    entry = model.entry
    profile = profiles[model.backends[0].engine] if model.backends else None
    facts = listed.get(model.name)
    return ModelCard(
        name=model.name,
        engine="" if profile is None else profile.name,
        weights_format="safetensors" if profile is None else profile.weights_format,
        created_ns=_created_ns(model, facts),
        aliases=entry.aliases,
        capabilities=_DEFAULT_CAPABILITIES if entry.capabilities is None else entry.capabilities,
        context_length=entry.context_length,
        trained_context_length=entry.trained_context_length,
        embedding_length=entry.embedding_length,
        parameter_size=entry.parameter_size or "",
        quantization=entry.quantization or "",
        family=entry.family or "",
        parameters=model.parameters,
        size_bytes=entry.size_bytes or 0,
        memory_bytes=entry.memory_bytes or 0,
        resident=any(one.ready and not profiles[one.engine].tells_of_models for one in model.backends),
        listed=facts,
        loaded=loaded.get(model.name),
    )


def _created_ns(model: Model, facts: Facts | None) -> int | None:
    """When the model was made: as its engine says, else its pool; None where neither does."""
    said = None if facts is None else facts.get("modified_at")
    if isinstance(said, str):
        try:
            seconds = int(datetime.fromisoformat(said).timestamp())
        except (ValueError, OverflowError, OSError):
            return None
        return seconds * _NS if 0 < seconds < _LAST_S else None
    created = model.pool.created
    return None if created == UNDATED else int(created.timestamp()) * _NS
