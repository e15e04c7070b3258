"""What the gateway tells about models: the routing table as the protocols' model cards. Pure."""

from ..protocols import catalog
from ..protocols.answer import Answer
from ..protocols.catalog import ModelCard
from ..protocols.dialect import Dialect, Engine, Operation
from ..protocols.errors import Reason, Refusal
from ..protocols.paths import Call
from ..routing.table import Model, RoutingTable

_DEFAULT_CAPABILITIES = ("completion",)


def told(call: Call, table: RoutingTable, asked: str, *, epoch_ns: int) -> Answer | Refusal:
    """The answer to a call about models. `asked` is the model's name where the call has one."""
    cards = [card(model) for model in table.models]
    match call.operation, call.dialect:
        case Operation.ROOT, _:
            return catalog.root()
        case Operation.VERSION, _:
            return catalog.version()
        case Operation.LIST_MODELS, Dialect.OLLAMA:
            return catalog.tags(cards)
        case Operation.LIST_MODELS, Dialect.ANTHROPIC:
            return catalog.anthropic_models(cards)
        case Operation.LIST_MODELS, _:
            return catalog.models(cards)
        case Operation.LIST_RESIDENT, _:
            return catalog.resident(cards, epoch_ns=epoch_ns)
        case _:
            return _one(call, table, asked)


def _one(call: Call, table: RoutingTable, asked: str) -> Answer | Refusal:
    found = table.find(asked)
    if found is None:
        return Refusal(reason=Reason.UNKNOWN_MODEL, detail=asked, operation=call.operation)
    if call.dialect is Dialect.OLLAMA:
        return catalog.show(card(found))
    if call.dialect is Dialect.ANTHROPIC:
        return catalog.anthropic_model(card(found), asked)
    return catalog.model(card(found), asked)


def card(model: Model) -> ModelCard:
    """One model as clients are told of it: by its preferred backend, resident while any backend is ready."""
    entry = model.entry
    engine = Engine(model.backends[0].engine.value) if model.backends else Engine.VLLM
    return ModelCard(
        name=model.name,
        engine=engine,
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
