"""The recorded pipeline, small enough for a tiny model on a CPU: the same calls, in the same order. Pure."""

from dataclasses import dataclass
from typing import Final

from msgspec import structs

from modelpool_bench_replay.pipeline import Kind, Pipeline, Step

READ_LESS: Final = 40
"""By which prompts are shorter: the longest is a thousand tokens, half of what the tiny model can hold."""
WRITE_LESS: Final = 20
LEAST: Final = 10
"""Tokens of the shortest prompt and answer."""


def scaled(pipeline: Pipeline) -> tuple[Step, ...]:
    """Return the steps with less to read and write, without waiting for the web, and with pictures told in words."""
    return tuple(_scaled(step) for step in pipeline.steps)


def _scaled(step: Step) -> Step:
    if step.kind is Kind.WAIT:
        return structs.replace(step, seconds=0.0)
    return structs.replace(
        step,
        kind=Kind.LLM,
        tokens_in=max(step.tokens_in // READ_LESS, LEAST),
        tokens_out=max(step.tokens_out // WRITE_LESS, LEAST),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Queries a minute with so many at once: of the rounds the median."""

    queries: int
    ollama: float
    modelpool: float

    @property
    def ratio(self) -> float:
        """How many times as much the pool does."""
        return self.modelpool / self.ollama


def renamed(weights: bytes, number: int) -> bytes:
    """Return GGUF weights that differ in the model's name alone, so that Ollama takes them for another model.

    Raises ValueError when the file names no model.
    """
    at = weights.index(b"general.name") + len(b"general.name") + 4
    length = int.from_bytes(weights[at : at + 8], "little")
    name = at + 8
    told = f"{number}".rjust(length, "-")[-length:].encode()
    return weights[:name] + told + weights[name + length :]
