"""Asks as the pipeline does: Ollama's API, each step as soon as what it needs is there, in compressed time."""

import asyncio
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from modelpool_bench_replay.pipeline import Kind, Step

PATIENCE_SECONDS: Final = 300.0
"""Real seconds until a call is given up; the longest waits in line behind fifteen other queries."""
PICTURE: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""One pixel: the engines count a prompt's tokens by its text."""
TOLERANCE: Final = 40
"""Tokens by which a prompt may differ from the recorded one: the chat template's own."""
_runs: Final = itertools.count()
"""Each run asks what none before has asked: engines remember the beginnings of prompts."""


class WrongAnswerError(Exception):
    """An answer is not the one that the replay is about. The text says whose and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A step that was done, in seconds of the simulation since the run began."""

    query: int
    step: str
    kind: Kind
    model: str
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A program that runs queries."""

    session: aiohttp.ClientSession
    urls: tuple[str, ...]
    """Where it asks: each user at one of them, in turn."""
    compression: float
    expected_backend: str
    """What the gateway must say answered, always as the first choice; empty: it is no gateway."""
    exact: bool = True
    """Whether prompts and answers must have the tokens that were asked for: real models end where they like."""

    async def run(
        self, steps: tuple[Step, ...], order: Mapping[str, tuple[str, ...]], *, users: int
    ) -> tuple[Span, ...]:
        """Have so many users ask a query each, at once; raises WrongAnswerError."""
        began, run = time.monotonic(), next(_runs)
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(self._query(run, number, steps, order, began), name=f"query {number}")
                for number in range(users)
            ]
        return tuple(span for query in running for span in query.result())

    async def _query(
        self, run: int, number: int, steps: tuple[Step, ...], order: Mapping[str, tuple[str, ...]], began: float
    ) -> list[Span]:
        done = {step.name: asyncio.Event() for step in steps}

        async def do(step: Step) -> Span:
            for before in order[step.name]:
                await done[before].wait()
            begin = time.monotonic()
            if step.kind is Kind.WAIT:
                await asyncio.sleep(step.seconds / self.compression)
            else:
                await self._ask(run, number, step)
            done[step.name].set()
            return Span(
                query=number,
                step=step.name,
                kind=step.kind,
                model=step.model,
                begin=(begin - began) * self.compression,
                end=(time.monotonic() - began) * self.compression,
            )

        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(do(step), name=f"query {number}, {step.name}") for step in steps]
        return [task.result() for task in running]

    async def _ask(self, run: int, number: int, step: Step) -> None:
        url = self.urls[number % len(self.urls)]
        message: dict[str, Any] = {"role": "user", "content": prompt(f"{run}.{number} {step.name}", step.tokens_in)}
        if step.kind is Kind.VISION:
            message["images"] = [PICTURE]
        body = {
            "model": step.model,
            "messages": [message],
            "stream": False,
            "options": {"num_predict": step.tokens_out},
        }
        async with self.session.post(f"{url}/api/chat", json=body) as response:
            answer = await response.json()
            if response.status != 200:
                raise WrongAnswerError(f"{step.name}: {response.status} {answer}")
            backend = response.headers.get("X-ModelPool-Backend", "")
            route = response.headers.get("X-ModelPool-Route", "")
        if backend != self.expected_backend or (backend and route != "primary"):
            raise WrongAnswerError(f"{step.name}: must be answered by {self.expected_backend}, got {backend} ({route})")
        if not self.exact:
            return
        counted = answer["prompt_eval_count"], answer["eval_count"]
        if abs(counted[0] - step.tokens_in) > TOLERANCE or counted[1] != step.tokens_out:
            raise WrongAnswerError(f"{step.name}: wants {step.tokens_in} and {step.tokens_out} tokens, got {counted}")


def prompt(beginning: str, tokens: int) -> str:
    """Return a text of so many tokens of the simulated engines, with a beginning that no other has."""
    return beginning + " a" * (tokens - len(beginning.split()))
