"""The two sets of engine speeds, never mixed, as the simulated engines read them. Pure.

*same*: vLLM reads and writes each token as fast as the recorded Ollama, so that what is left is the pool's own doing.
*published*: vLLM's speed on a 24 GB card, see `roofline`.

Both know that a batch costs a little, and that the cache of every sequence is read beside the weights. With the same
speed, one sequence alone costs what it did: the context that the recording had is in the rate already.
"""

from collections.abc import Mapping
from enum import Enum

from modelpool_bench_replay import roofline
from modelpool_bench_replay.fitting import Rates
from modelpool_bench_replay.pipeline import Pipeline

Pace = dict[str, float]
"""Fields of the simulated engines' pace."""


class SpeedSet(Enum):
    """How fast the pool's engines are."""

    SAME = "same"
    PUBLISHED = "published"


def of_ollama(rates: Mapping[str, Rates]) -> dict[str, Pace]:
    """Return the recorded Ollama's speeds."""
    return {model: _flat(one) for model, one in rates.items()}


def of_vllm(chosen: SpeedSet, rates: Mapping[str, Rates], pipeline: Pipeline) -> dict[str, Pace]:
    """Return the speeds of the pool's engines, by the names that the pools give them."""
    if chosen is SpeedSet.PUBLISHED:
        return {model: _published(weights) for model, weights in roofline.WEIGHTS.items()}
    return {model: _same(rates[model], weights, pipeline, model) for model, weights in roofline.WEIGHTS.items()}


def drafting(pace: Pace) -> Pace:
    """Return the same speeds with speculative decoding: every step checks the drafted tokens of every sequence."""
    return {
        **pace,
        "batch_slowdown": pace["batch_slowdown"] * (1 + roofline.DRAFT_TOKENS),
        "draft_acceptance": roofline.DRAFT_ACCEPTANCE,
        "draft_slowdown": roofline.DRAFT_SLOWDOWN,
    }


def _flat(rates: Rates) -> Pace:
    return {
        # A rate of zero seconds is one that the recording cannot see.
        "prefill_tokens_per_second": 1 / max(rates.reading, 1e-7),
        "decode_tokens_per_second": 1 / rates.writing,
        "batch_slowdown": 0.0,
    }


def _same(rates: Rates, weights: roofline.Weights, pipeline: Pipeline, model: str) -> Pace:
    longest = max(step.tokens_in + step.tokens_out for step in pipeline.calls() if step.model == model)
    return {
        **_flat(rates),
        "batch_slowdown": roofline.BATCH_SLOWDOWN,
        "context_slowdown": weights.cache_reading / rates.writing,
        "context_at_rate": longest,
    }


def _published(weights: roofline.Weights) -> Pace:
    return {
        "prefill_tokens_per_second": 1 / weights.reading,
        "prefill_slowdown": weights.reading_slowdown,
        "decode_tokens_per_second": 1 / weights.writing,
        "batch_slowdown": roofline.BATCH_SLOWDOWN,
        "context_slowdown": weights.cache_reading / weights.writing,
    }
