"""How fast the recorded Ollama computed: seconds per token read and per token written, by model, from the recording.

Least squares over the calls of a model, both rates at least zero. A model with one sort of call cannot tell reading
from writing: it gets the two rates of the best known model, scaled until its calls take what they took. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from modelpool_bench_replay.pipeline import Pipeline, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Seconds per token."""

    reading: float
    writing: float
    scaled_from: str = ""
    """The model whose rates were scaled; empty when its own calls were enough."""

    def seconds(self, step: Step) -> float:
        """Return how long a call takes alone."""
        return self.reading * step.tokens_in + self.writing * step.tokens_out


def fit(pipeline: Pipeline) -> dict[str, Rates]:
    """Return the rates of every model of the pipeline."""
    calls = {model: [step for step in pipeline.calls() if step.model == model] for model in pipeline.models()}
    told = {model: steps for model, steps in calls.items() if _sorts(steps) > 1}
    fitted = {model: least_squares(steps) for model, steps in told.items()}
    best = min(fitted, key=lambda model: (_error(fitted[model], told[model]), model))
    for model, steps in calls.items():
        if model not in fitted:
            fitted[model] = _scaled(fitted[best], best, steps)
    return {model: fitted[model] for model in calls}


def least_squares(steps: Sequence[Step]) -> Rates:
    """Return the rates of least squared error, neither below zero. The steps must be of two sorts."""
    reads = sum(step.tokens_in**2 for step in steps)
    both = sum(step.tokens_in * step.tokens_out for step in steps)
    writes = sum(step.tokens_out**2 for step in steps)
    read_seconds = sum(step.tokens_in * step.seconds for step in steps)
    write_seconds = sum(step.tokens_out * step.seconds for step in steps)
    determinant = reads * writes - both**2
    # With two unknowns the best pair without negative rates is the free optimum or lies on one of the two axes.
    pairs = [
        (
            (read_seconds * writes - write_seconds * both) / determinant,
            (reads * write_seconds - both * read_seconds) / determinant,
        ),
        (read_seconds / reads, 0.0),
        (0.0, write_seconds / writes),
    ]
    allowed = [Rates(reading=reading, writing=writing) for reading, writing in pairs if min(reading, writing) >= 0]
    return min(allowed, key=lambda rates: _error(rates, steps))


def residuals(rates: dict[str, Rates], pipeline: Pipeline) -> dict[str, float]:
    """Return for each call by how many seconds the fit is longer than the recording."""
    return {step.name: rates[step.model].seconds(step) - step.seconds for step in pipeline.calls()}


def _sorts(steps: Sequence[Step]) -> int:
    return len({step.tokens_in / step.tokens_out for step in steps})


def _error(rates: Rates, steps: Sequence[Step]) -> float:
    return sum((rates.seconds(step) - step.seconds) ** 2 for step in steps)


def _scaled(rates: Rates, model: str, steps: Sequence[Step]) -> Rates:
    factor = sum(step.seconds for step in steps) / sum(rates.seconds(step) for step in steps)
    return Rates(reading=rates.reading * factor, writing=rates.writing * factor, scaled_from=model)
