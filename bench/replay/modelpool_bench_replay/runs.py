"""Run a scenario: start its processes, ask with so many queries at once, and see what the cards did."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from modelpool_bench_replay import fitting, ideal, measures, roofline, speeds, stage
from modelpool_bench_replay.client import PATIENCE_SECONDS, Client, Span
from modelpool_bench_replay.measures import Figures
from modelpool_bench_replay.pipeline import Pipeline
from modelpool_bench_replay.scenarios import SERVED_BY, Scenario
from modelpool_bench_replay.speeds import Pace, SpeedSet

GROUPS: Final = {30.0: (1,), 60.0: (4, 16)}
"""How many queries at once, by the simulated seconds that pass in one: the more queue for the cards, the less a few
milliseconds matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """So many users at once in one scenario."""

    scenario: Scenario
    speeds: SpeedSet | None
    """None: the recorded Ollama's own."""
    compression: float
    users: int
    """That ask at the same time."""
    figures: Figures
    spans: tuple[Span, ...]
    ideal_seconds: float | None
    """What all calls of one sequential query would take together by the engines' model of time; else None."""

    @property
    def calls_seconds(self) -> float:
        """What all its calls took together."""
        return sum(span.seconds for span in self.spans if span.model)


def paces(scenario: Scenario, chosen: SpeedSet | None, pipeline: Pipeline) -> dict[str, Pace]:
    """Return the speeds of a scenario's engines by the names that they are given."""
    rates = fitting.fit(pipeline)
    if chosen is None:
        return speeds.of_ollama(rates)
    plain = speeds.of_vllm(chosen, rates, pipeline)
    return {model: speeds.drafting(pace) if model in scenario.drafting else pace for model, pace in plain.items()}


async def run(
    scenario: Scenario,
    chosen: SpeedSet | None,
    pipeline: Pipeline,
    *,
    compression: float,
    at_once: tuple[int, ...],
    rounds: int,
) -> list[Run]:
    """Start the scenario's processes, run so many queries at once, one number after the other, and end them.

    Of the rounds with as many queries the middle one is returned, by queries a minute.
    """
    told = paces(scenario, chosen, pipeline)
    order = scenario.order(pipeline.steps)
    done = []
    async with (
        _folder() as folder,
        _stage(scenario, folder, told, pipeline, compression) as place,
        aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=PATIENCE_SECONDS), connector=aiohttp.TCPConnector(limit=0)
        ) as session,
    ):
        client = Client(session=session, urls=place.urls, compression=compression, expected_backend=place.backend)
        if scenario.pool is None and at_once == (1,):
            # A query finds in memory what another left there; a pool's models are there anyway.
            await client.run(pipeline.steps, order, users=1)
        for users in at_once:
            fresh = []
            for _ in range(rounds):
                worked, loads = place.worked(), place.loads()
                spans = await client.run(pipeline.steps, order, users=users)
                measured = measures.figures(
                    spans,
                    switches=place.loads() - loads,
                    worked=(place.worked() - worked) * compression,
                    cards=scenario.copies,
                    resident=place.resident(),
                )
                one = Run(
                    scenario=scenario,
                    speeds=chosen,
                    compression=compression,
                    users=users,
                    figures=measured,
                    spans=spans,
                    ideal_seconds=_ideal(told, pipeline, scenario) if users == 1 and not scenario.together else None,
                )
                fresh.append(one)
            done.append(middle(fresh))
    return done


def middle(rounds: Sequence[Run]) -> Run:
    """Return the round that as many were faster as slower than; of an even number the slower one of the middle."""
    return sorted(rounds, key=lambda one: one.figures.per_minute)[(len(rounds) - 1) // 2]


def _ideal(told: Mapping[str, Pace], pipeline: Pipeline, scenario: Scenario) -> float:
    """Return what the calls take on engines that do nothing else, with the switches of a sequential query."""
    serving = {model: model if scenario.pool is None else SERVED_BY.get(model, model) for model in pipeline.models()}
    seconds = sum(
        ideal.alone(
            told[serving[step.model]],
            step,
            draft_tokens=roofline.DRAFT_TOKENS if serving[step.model] in scenario.drafting else 0,
        )
        for step in pipeline.calls()
    )
    recorded = pipeline.recorded
    return seconds + (recorded.switches * recorded.switch_seconds if scenario.pool is None else 0.0)


def _stage(
    scenario: Scenario, folder: Path, told: Mapping[str, Pace], pipeline: Pipeline, compression: float
) -> AbstractAsyncContextManager[stage.Stage]:
    if scenario.pool is None:
        return stage.ollama(folder, pipeline, told, compression=compression)
    return stage.pool(scenario.pool, folder, told, copies=scenario.copies, compression=compression)


@asynccontextmanager
async def _folder() -> AsyncIterator[Path]:
    with tempfile.TemporaryDirectory(prefix="modelpool-replay-", ignore_cleanup_errors=False) as folder:
        yield Path(folder)
        await asyncio.sleep(0)
