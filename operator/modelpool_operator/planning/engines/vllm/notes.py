"""What a user should know of a vLLM model that can be planned: nothing here stops a plan."""

from collections.abc import Iterator
from typing import Final

from modelpool_operator.api.models import Capability, Model
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning import sharing
from modelpool_operator.planning.engines.ollama import models as ollama
from modelpool_operator.planning.memory.catalogue import known
from modelpool_operator.planning.memory.sources import parse_source

PARSERS: Final = (
    (Capability.TOOLS, "toolCallParser", "--tool-call-parser", "vLLM finds no calls in its answers"),
    (Capability.THINKING, "reasoningParser", "--reasoning-parser", "vLLM does not split off its thoughts"),
)


STRETCHED_BY: Final = ("--hf-overrides", "--hf-config-path")
"""Arguments by which a model may be told to go further than it was trained."""
STRETCHED_IN: Final = "VLLM_ALLOW_LONG_MAX_MODEL_LEN"


def notes_on(pool: ModelPool, model: Model) -> Iterator[str]:
    """Yield sentences about a model."""
    if model.most_replicas > 1:
        stand = "may stand" if sharing.mode_of(pool.spec).whole_cards else "stand"
        nodes = f"{model.name}: its replicas {stand} on {model.most_replicas} nodes"
        yield f"{nodes}, so the cache must be a ReadWriteMany volume"
    args = (*pool.spec.vllm.args, *model.args)
    trained, wanted = _trained_for(model), model.context_length or 0
    stretched = any(arg.partition("=")[0] in STRETCHED_BY for arg in args)
    stretched |= any(variable.get("name") == STRETCHED_IN for variable in pool.spec.vllm.env)
    if trained is not None and wanted > trained and not stretched:
        beyond = f"{model.name}: `contextLength` {wanted} is beyond the {trained} tokens that the model was trained for"
        yield f"{beyond}: vLLM refuses to start, unless `args` stretch the model (`--hf-overrides`)"
    if ollama.lacks_fallback(pool.spec, model):
        yield f"{model.name}: has no fallback, as Ollama's library has no such name; say which in `fallback.model`"
    stated = {"toolCallParser": model.tool_call_parser, "reasoningParser": model.reasoning_parser}
    for capability, field, flag, consequence in PARSERS:
        said = stated[field] is not None or any(arg.partition("=")[0] == flag for arg in args)
        if capability in model.capabilities and not said:
            yield f"{model.name}: has the capability '{capability.value}' without `{field}`: {consequence}"


def _trained_for(model: Model) -> int | None:
    """Return tokens, or None where nobody knows."""
    found = known(parse_source(model.source)) if model.source else None
    return found.context if found else None
