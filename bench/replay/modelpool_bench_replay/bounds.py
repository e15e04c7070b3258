"""What no engine on the card can beat, whatever it is called: why a prediction is missed. Pure."""

from collections.abc import Callable, Mapping

from msgspec import structs

from modelpool_bench_replay import roofline
from modelpool_bench_replay.fitting import Rates
from modelpool_bench_replay.pipeline import Kind, Pipeline, Step, critical_path, together
from modelpool_bench_replay.roofline import Weights

TOKENS_A_STEP = 1 + roofline.DRAFT_TOKENS * roofline.DRAFT_ACCEPTANCE
"""That speculation writes, if drafting and checking were free."""


def fastest(weights: Weights, step: Step, *, tokens_a_step: float = 1.0) -> float:
    """Return the seconds of a call at the whole bandwidth and arithmetic of the card, alone on it.

    Every token read takes its operations, and those of attention to all before it; every step of writing reads the
    weights and the cache once.
    """
    operations = step.tokens_in * (weights.operations + weights.attention_operations * step.tokens_in / 2)
    cache = weights.cache_bytes * (step.tokens_in + step.tokens_out / 2)
    steps = step.tokens_out / tokens_a_step
    return operations / roofline.ARITHMETIC + steps * (weights.read_bytes + cache) / roofline.BANDWIDTH


def llm_seconds(pipeline: Pipeline, seconds: Callable[[Step], float]) -> float:
    """Return the LLM time of a query whose independent calls run together and do not slow each other down."""
    steps = tuple(
        structs.replace(step, seconds=seconds(step) if step.kind is Kind.LLM else 0.0) for step in pipeline.steps
    )
    return critical_path(steps, together(steps))


def batching_limit(rates: Mapping[str, Rates], pipeline: Pipeline, served_by: Mapping[str, str]) -> float:
    """Return how many times Ollama's queries one card could do at the same speed if writing cost nothing.

    Reading a prompt fills the card's arithmetic, so that batches do not make it cheaper: it is what is left. Ollama is
    counted without its switches, as when many queries wait and it can choose.
    """
    calls = list(pipeline.calls())
    whole = sum(rates[step.model].seconds(step) for step in calls)
    return whole / sum(rates[served_by.get(step.model, step.model)].reading * step.tokens_in for step in calls)
