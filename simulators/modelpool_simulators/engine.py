"""The engine loop: runs a `Batch` in time and hands tokens to whoever waits for them.

One task runs `Engine.run`; handlers call `submit` and iterate. Knows neither HTTP nor JSON. Time comes from the event
loop, so a loop with another clock runs it as well; only engines that share a card's time need the machine's own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Protocol

from . import batching, scripts, timeslices
from .prefixes import PrefixCache

CATCH_UP = 0.05
"""Seconds by which a late loop may hurry to keep its average pace."""


class EngineError(Exception):
    """The engine cannot serve this request. Below: EngineBusyError, EngineStoppingError, EngineDeadError."""


class EngineBusyError(EngineError):
    """The queue is full."""


class EngineStoppingError(EngineError):
    """The engine drains and admits nothing new."""


class EngineDeadError(EngineError):
    """The engine has died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Tokens that came out of one step; the last output of an answer says why it ended."""

    tokens: tuple[scripts.Token, ...]
    finish: str | None = None
    stop: str | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Timing:
    """When what happened to one answer, in seconds of the loop's clock."""

    arrived: float
    scheduled: float | None = None
    first_token: float | None = None
    last_token: float | None = None
    intervals: list[float] = field(default_factory=list)


class Observer(Protocol):
    """Who counts what the engine does; see `vllm.metrics`."""

    def stepped(self, step: batching.Step) -> None:
        """One step was computed."""

    def finished(self, generation: Generation, reason: str) -> None:
        """An answer ended with this reason; a client that left is not reported, as in vLLM."""


@dataclass(slots=True, kw_only=True, eq=False)
class Generation:
    """One answer on its way. Iterate it; `Engine.abandon` it when nobody listens any more."""

    script: scripts.Script
    sequence: batching.Sequence
    timing: Timing
    outputs: asyncio.Queue[Output | EngineError] = field(default_factory=asyncio.Queue)
    sent: int = 0
    held: int = 0
    """Tokens that are computed and not handed out yet."""

    async def get(self) -> Output:
        """Wait for the next output; raises EngineDeadError when the engine dies."""
        output = await self.outputs.get()
        if isinstance(output, EngineError):
            raise output
        return output

    async def __aiter__(self) -> AsyncIterator[Output]:
        """Yield outputs up to the one with a finish reason."""
        while True:
            output = await self.get()
            yield output
            if output.finish is not None:
                return


class Engine:
    """Admission, the loop, and the end of it."""

    def __init__(
        self,
        batch: batching.Batch,
        *,
        observer: Observer,
        prefix_cache: PrefixCache | None = None,
        max_queued: int | None = None,
        die_after_tokens: int | None = None,
        timeslice: timeslices.Timeslice | None = None,
        turn_seconds: float = 0.0,
        catch_up_seconds: float = CATCH_UP,
        hand_out_seconds: float = 0.0,
    ) -> None:
        self.batch = batch
        self._observer = observer
        self._timeslice = timeslice
        self._turn_seconds = turn_seconds
        self._catch_up_seconds = catch_up_seconds
        self._hand_out_seconds = hand_out_seconds
        self._prefix_cache = prefix_cache
        self._max_queued = max_queued
        self._tokens_left = die_after_tokens
        self._generations: dict[batching.Sequence, Generation] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        self.dead = asyncio.Event()
        self.idle = asyncio.Event()
        """Set while no answer is on its way."""
        self.idle.set()

    def submit(self, script: scripts.Script, prompt: list[str], *, now: float) -> Generation:
        """Queue an answer that was asked for at `now`; raises an EngineError when it cannot be admitted."""
        self.check()
        if self._max_queued is not None and len(self.batch.waiting) >= self._max_queued:
            raise EngineBusyError("The queue is full")
        cached = self._prefix_cache.match(prompt) if self._prefix_cache else 0
        sequence = batching.Sequence(prompt=len(prompt), cached=cached, length=max(len(script.tokens), 1))
        generation = Generation(script=script, sequence=sequence, timing=Timing(arrived=now))
        self._generations[sequence] = generation
        self.idle.clear()
        self.batch.add(sequence)
        self._wake.set()
        return generation

    def check(self) -> None:
        """Raise the EngineError that a new request would meet before it is looked at."""
        if self.dead.is_set():
            raise EngineDeadError("The engine has died")
        if self._stopping:
            raise EngineStoppingError("The engine is stopping")

    def abandon(self, generation: Generation) -> None:
        """Stop computing an answer nobody waits for; does nothing when it is complete."""
        if self._forget(generation):
            self.batch.remove(generation.sequence)

    def stop_admission(self) -> None:
        """Refuse new answers from now on; those under way go on."""
        self._stopping = True

    def abort_all(self) -> None:
        """End every answer under way where it stands, with finish reason `abort`."""
        for generation in list(self._generations.values()):
            self.abandon(generation)
            generation.outputs.put_nowait(Output(tokens=(), finish="abort"))
            self._observer.finished(generation, "abort")

    def die(self) -> None:
        """Break every answer under way, as when the engine's process is killed."""
        self.dead.set()
        self._wake.set()
        for generation in list(self._generations.values()):
            self.abandon(generation)
            generation.outputs.put_nowait(EngineDeadError("The engine has died"))

    def _forget(self, generation: Generation) -> bool:
        known = self._generations.pop(generation.sequence, None) is not None
        if not self._generations:
            self.idle.set()
        return known

    async def run(self) -> None:
        """Compute steps for as long as there is work, then wait for more; returns when the engine dies."""
        clock: Callable[[], float] = asyncio.get_running_loop().time
        due = clock()
        while not self.dead.is_set():
            if not self._generations:
                self._wake.clear()
                if self._timeslice:
                    self._timeslice.rest()
                await self._wake.wait()
                # What it takes to invent an answer is no part of the simulated time.
                due = min((one.timing.arrived for one in self._generations.values()), default=clock())
                continue
            steps = self._turn()
            seconds = sum(step.seconds for step in steps)
            if self._timeslice:
                seconds = self._timeslice.take(seconds, now=time.monotonic())
            due = max(due, clock() - self._catch_up_seconds) + seconds
            await asyncio.sleep(max(0.0, due - clock()))
            self._deliver(steps, seconds, clock())

    def _turn(self) -> list[batching.Step]:
        """Compute one step, or several at once while they are short and no answer ends."""
        steps = [self.batch.step(self._turn_seconds)]
        seconds = steps[0].seconds
        while seconds < self._turn_seconds and not steps[-1].ends_an_answer and self.batch.running:
            steps.append(self.batch.step(self._turn_seconds - seconds))
            seconds += steps[-1].seconds
        return steps

    def _deliver(self, steps: list[batching.Step], seconds: float, now: float) -> None:
        produced: dict[batching.Sequence, int] = {}
        for step in steps:
            for sequence in step.admitted:
                if (generation := self._generations.get(sequence)) and generation.timing.scheduled is None:
                    generation.timing.scheduled = now - seconds
            self._observer.stepped(step)
            for sequence, tokens in step.produced:
                produced[sequence] = produced.get(sequence, 0) + tokens
        for sequence, tokens in produced.items():
            if generation := self._generations.get(sequence):
                generation.held += tokens
                if self._is_due(generation, now):
                    self._hand_out(generation, generation.held, now)
                    generation.held = 0
        if self._tokens_left is not None:
            self._tokens_left -= sum(produced.values())
            if self._tokens_left <= 0:
                self.die()

    def _is_due(self, generation: Generation, now: float) -> bool:
        """Tell whether tokens are handed out now: the first and the last at once, the others as often as is told."""
        last, sequence = generation.timing.last_token, generation.sequence
        return last is None or sequence.produced >= sequence.length or now - last >= self._hand_out_seconds

    def _hand_out(self, generation: Generation, tokens: int, now: float) -> None:
        timing = generation.timing
        if timing.first_token is None:
            timing.first_token = now
        elif timing.last_token is not None:
            timing.intervals.append(now - timing.last_token)
        timing.last_token = now
        script = generation.script
        fresh = script.tokens[generation.sent : generation.sent + tokens]
        generation.sent += tokens
        if generation.sent < generation.sequence.length:
            generation.outputs.put_nowait(Output(tokens=fresh))
            return
        self._forget(generation)
        generation.outputs.put_nowait(Output(tokens=fresh, finish=script.finish, stop=script.stop))
        self._observer.finished(generation, script.finish)
