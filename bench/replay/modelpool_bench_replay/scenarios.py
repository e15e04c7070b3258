"""What is compared: six ways to run the same query. Each but the first two adds one thing to the one before."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelpool_bench_replay import pipeline as pipelines
from modelpool_bench_replay.pipeline import Step

POOLS: Final = Path(__file__).parents[1] / "pools"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One way to run the query."""

    name: str
    """Also of its pictures."""
    title: str
    pool: Path | None
    """The ModelPool behind the gateway; None: the recorded Ollama, asked directly."""
    together: bool = False
    """Whether the client issues calls that do not need each other at the same time."""
    copies: int = 1
    """Pools, each on a card of its own, among which the users are divided: what `replicas` are on several nodes, which
    have no place on one machine."""
    drafting: tuple[str, ...] = ()
    """Models with speculative decoding."""

    def order(self, steps: tuple[Step, ...]) -> Mapping[str, tuple[str, ...]]:
        """Return what each step waits for."""
        return pipelines.together(steps) if self.together else pipelines.in_recorded_order(steps)


OLLAMA: Final = Scenario(name="ollama", title="Ollama alone", pool=None)
ALL: Final = (
    OLLAMA,
    Scenario(name="one-card", title="one card, client unchanged", pool=POOLS / "one-card.yaml"),
    Scenario(name="together", title="independent calls together", pool=POOLS / "one-card.yaml", together=True),
    Scenario(name="consolidated", title="+ two models for five names", pool=POOLS / "consolidated.yaml", together=True),
    Scenario(
        name="speculative",
        title="+ speculative decoding",
        pool=POOLS / "speculative.yaml",
        together=True,
        drafting=("qwen3:8b",),
    ),
    Scenario(
        name="two-cards",
        title="+ a second card",
        pool=POOLS / "speculative.yaml",
        together=True,
        copies=2,
        drafting=("qwen3:8b",),
    ),
)

SERVED_BY: Final = {"cogito:8b": "qwen3:8b", "gemma3:4b": "qwen2.5-vl:7b"}
"""In the pool that the recorded client is asked with, one-card.yaml."""
