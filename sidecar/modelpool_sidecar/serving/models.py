"""What the gateway tells about models: the routing table as the protocols' model cards. Remembers lists, else pure."""

from typing import Final

from ..dialects import model_cards
from ..dialects.answer import Answer
from ..dialects.calls import Call
from ..dialects.dialect import Dialect, Operation
from ..dialects.errors import Reason, Refusal
from ..dialects.model_cards import ModelCard
from ..engines.registry import Profiles
from ..routing.table import Model, RoutingTable

_DEFAULT_CAPABILITIES: Final = ("completion",)
_LISTS: Final = frozenset({Operation.LIST_MODELS, Operation.LIST_RESIDENT})
_NS: Final = 1_000_000_000


class Models:
    """The answers to calls about models. A list is made once per table, and once per second where it tells times."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles
        self._table: RoutingTable | None = None
        self._lists: dict[tuple[Operation, Dialect], tuple[int, Answer]] = {}
        """With the second for which they were made, or 0."""

    def answer(self, call: Call, table: RoutingTable, asked: str, *, epoch_ns: int) -> Answer | Refusal:
        """The answer to a call. `asked` is the model's name where the call has one."""
        if call.operation not in _LISTS:
            return self._other(call, table, asked)
        if table is not self._table:
            self._table = table
            self._lists.clear()
        key = call.operation, call.dialect
        second = epoch_ns // _NS if call.operation is Operation.LIST_RESIDENT else 0
        made_for, known = self._lists.get(key, (-1, None))
        if known is None or made_for != second:
            known = _list(call, [card(model, self._profiles) for model in table.models], epoch_ns=second * _NS)
            self._lists[key] = second, known
        return known

    def _other(self, call: Call, table: RoutingTable, asked: str) -> Answer | Refusal:
        match call.operation:
            case Operation.ROOT:
                return model_cards.root()
            case Operation.VERSION:
                return model_cards.version()
            case _:
                return self._one(call, table, asked)

    def _one(self, call: Call, table: RoutingTable, asked: str) -> Answer | Refusal:
        found = table.find(asked)
        if found is None:
            return Refusal(reason=Reason.UNKNOWN_MODEL, detail=asked, operation=call.operation)
        if call.dialect is Dialect.OLLAMA:
            return model_cards.show(card(found, self._profiles))
        if call.dialect is Dialect.ANTHROPIC:
            return model_cards.anthropic_model(card(found, self._profiles), asked)
        return model_cards.model(card(found, self._profiles), asked)


def _list(call: Call, cards: list[ModelCard], *, epoch_ns: int) -> Answer:
    match call.operation, call.dialect:
        case Operation.LIST_RESIDENT, _:
            return model_cards.resident(cards, epoch_ns=epoch_ns)
        case _, Dialect.OLLAMA:
            return model_cards.tags(cards)
        case _, Dialect.ANTHROPIC:
            return model_cards.anthropic_models(cards)
        case _:
            return model_cards.models(cards)


def card(model: Model, profiles: Profiles) -> ModelCard:
    """One model as clients are told of it: by its preferred backend, resident while any backend is ready."""
    entry = model.entry
    profile = profiles[model.backends[0].engine] if model.backends else None
    return ModelCard(
        name=model.name,
        engine="" if profile is None else profile.name,
        weights_format="safetensors" if profile is None else profile.weights_format,
        created_ns=int(model.pool.created.timestamp()) * 1_000_000_000,
        aliases=entry.aliases,
        capabilities=_DEFAULT_CAPABILITIES if entry.capabilities is None else entry.capabilities,
        context_length=entry.context_length,
        parameter_size=entry.parameter_size or "",
        quantization=entry.quantization or "",
        family=entry.family or "",
        size_bytes=entry.size_bytes or 0,
        memory_bytes=entry.memory_bytes or 0,
        resident=model.ready,
    )
