"""What a user should know of a pool that can be planned: nothing here stops a plan."""

from collections.abc import Iterator
from typing import Final

from modelpool_operator.api.models import Capability, Engine, Model
from modelpool_operator.api.pool import ModelPool

PARSERS: Final = (
    (Capability.TOOLS, "toolCallParser", "--tool-call-parser", "vLLM finds no calls in its answers"),
    (Capability.THINKING, "reasoningParser", "--reasoning-parser", "vLLM does not split off its thoughts"),
)


def notes_on(pool: ModelPool) -> tuple[str, ...]:
    """Return sentences about the pool, in the spec's order."""
    return tuple(note for model in pool.spec.models for note in _notes(pool, model))


def _notes(pool: ModelPool, model: Model) -> Iterator[str]:
    if model.engine is not Engine.VLLM:
        return
    if model.most_replicas > 1:
        nodes = f"{model.name}: its replicas stand on {model.most_replicas} nodes"
        yield f"{nodes}, so the cache must be a ReadWriteMany volume"
    args = (*pool.spec.vllm.args, *model.args)
    stated = {"toolCallParser": model.tool_call_parser, "reasoningParser": model.reasoning_parser}
    for capability, field, flag, consequence in PARSERS:
        said = stated[field] is not None or any(arg.partition("=")[0] == flag for arg in args)
        if capability in model.capabilities and not said:
            yield f"{model.name}: has the capability '{capability.value}' without `{field}`: {consequence}"
