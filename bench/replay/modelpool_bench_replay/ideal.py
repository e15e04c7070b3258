"""How long a call takes by the engines' own model of time, without any process: what a run is held against. Pure."""

from modelpool_bench_replay.pipeline import Step
from modelpool_bench_replay.speeds import Pace
from modelpool_simulators import batching


def alone(pace: Pace, step: Step, *, draft_tokens: int = 0) -> float:
    """Return the seconds of a call on an engine that does nothing else."""
    told = batching.Pace(draft_tokens=draft_tokens, **pace)  # type: ignore[arg-type]
    batch = batching.Batch(told, max_sequences=1, cache_tokens=2 * (step.tokens_in + step.tokens_out))
    batch.add(batching.Sequence(prompt=step.tokens_in, length=step.tokens_out))
    seconds = 0.0
    while batch.running or batch.waiting:
        seconds += batch.step().seconds
    return seconds
