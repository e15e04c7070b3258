"""Models in memory: loading, swapping, keeping alive, and the queue before it.

A request for a model in memory goes straight to its runner. Any other waits its turn; when the memory is full, of which
`memory` knows, the model that was idle longest is put out, and one that is busy is waited for. One loads at a time. The
owner gives a TaskGroup and runs `expire`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from .. import batching, cards, engine, speeds, timeslices
from . import memory
from .settings import Settings
from .store import Model

log = logging.getLogger(__name__)


class BusyError(Exception):
    """Too many requests wait for a model to be loaded."""


class Silent:
    """Counts nothing: Ollama has no metrics."""

    def stepped(self, step: batching.Step) -> None:
        """Ignore a step."""

    def finished(self, generation: engine.Generation, reason: str) -> None:
        """Ignore the end of an answer."""


@dataclass(slots=True, kw_only=True, eq=False)
class Runner:
    """One model in memory."""

    model: Model
    engine: engine.Engine
    context: int
    """Tokens one request may use."""
    keep_alive: float
    expires: float
    """On the loop's clock; only an idle runner expires."""
    used: int = 0
    """Requests under way."""
    holding: cards.Holding | None = None
    timeslice: timeslices.Timeslice | None = None
    """Of the card that holds the model; None on the CPU."""
    task: asyncio.Task[None] | None = field(default=None)


class Runners:
    """All runners."""

    def __init__(
        self,
        settings: Settings,
        tasks: asyncio.TaskGroup,
        devices: Sequence[cards.Card],
        told: speeds.Speeds | None = None,
    ) -> None:
        self._settings = settings
        self._speeds = told or speeds.Speeds()
        self._tasks = tasks
        self._devices = devices
        self._loaded: dict[str, Runner] = {}
        self.pending = 0
        """Requests that wait for a model to be loaded, with the one that loads."""
        self._turn = asyncio.Lock()
        self._changed = asyncio.Condition()

    def loaded(self) -> list[Runner]:
        """Return the runners, the one that stays longest first."""
        return sorted(self._loaded.values(), key=lambda runner: runner.expires, reverse=True)

    @contextlib.asynccontextmanager
    async def using(
        self, model: Model, *, keep_alive: float | None = None, context: int | None = None
    ) -> AsyncIterator[Runner]:
        """Have the model in memory for as long as the block runs; raises BusyError."""
        trained = self._settings.trained_context or model.known.context
        wanted = min(context or self._settings.context_length, trained)
        runner = self._ready(model, context, wanted)
        if runner is None:
            if self.pending > self._settings.max_queue:
                raise BusyError
            self.pending += 1
            try:
                async with self._turn:
                    runner = self._ready(model, context, wanted) or await self._load(model, wanted)
            finally:
                self.pending -= 1
        runner.used += 1
        if keep_alive is not None:
            runner.keep_alive = keep_alive
        self._touch(runner)
        try:
            yield runner
        finally:
            runner.used -= 1
            self._touch(runner)
            async with self._changed:
                self._changed.notify_all()

    async def unload(self, model: Model) -> None:
        """Put a model out of memory, as soon as nobody uses it."""
        if runner := self._loaded.get(model.digest):
            runner.keep_alive = 0
            self._touch(runner)
            async with self._changed:
                self._changed.notify_all()

    async def expire(self) -> None:
        """Put out what was idle too long, for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            for runner in list(self._loaded.values()):
                if runner.engine.dead.is_set() or (runner.used == 0 and runner.expires <= clock()):
                    self._put_out(runner)
            waiting = [runner.expires for runner in self._loaded.values() if runner.used == 0]
            async with self._changed:
                self._changed.notify_all()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(min(waiting, default=clock() + _LOOK_SECONDS)):
                        await self._changed.wait()

    def kill(self) -> None:
        """Break every runner, as when its process is killed."""
        for runner in list(self._loaded.values()):
            runner.engine.die()

    def close(self) -> None:
        """Put everything out."""
        for runner in list(self._loaded.values()):
            runner.engine.die()
            self._put_out(runner)

    def _ready(self, model: Model, asked: int | None, wanted: int) -> Runner | None:
        """Return the model's runner, unless it must be loaded again for another context."""
        runner = self._loaded.get(model.digest)
        if runner is None or runner.engine.dead.is_set() or (asked and runner.context != wanted):
            return None
        return runner

    async def _load(self, model: Model, context: int) -> Runner:
        if stale := self._loaded.get(model.digest):
            await self._until_idle(stale)
        while len(self._loaded) >= self._settings.max_loaded_models:
            await self._until_idle(self._next_to_go())
        log.info("loading %s", model.name)
        holding = await self._room(model, context)
        try:
            await asyncio.sleep(self._settings.load_seconds)
        except BaseException:
            if holding:
                holding.release()
            raise
        runner = self._start(model, context, holding)
        self._loaded[model.digest] = runner
        return runner

    async def _until_idle(self, runner: Runner) -> None:
        """Wait until nobody uses the runner, then put it out."""
        async with self._changed:
            await self._changed.wait_for(lambda: runner.used == 0 or runner.engine.dead.is_set())
        self._put_out(runner)

    def _start(self, model: Model, context: int, holding: cards.Holding | None) -> Runner:
        settings = self._settings
        pace = batching.Pace(
            prefill_tokens_per_second=settings.prefill_tokens_per_second,
            decode_tokens_per_second=settings.decode_tokens_per_second,
            batch_slowdown=settings.batch_slowdown,
        )
        slots = settings.num_parallel
        batch = batching.Batch(
            self._speeds.pace([model.name], pace), max_sequences=slots, cache_tokens=(context + batching.BLOCK) * slots
        )
        timeslice = timeslices.Timeslice(holding.card.path) if holding else None
        core = engine.Engine(
            batch,
            observer=Silent(),
            die_after_tokens=settings.die_after_tokens,
            timeslice=timeslice,
            turn_seconds=self._speeds.turn_seconds,
            catch_up_seconds=self._speeds.catch_up_seconds,
            hand_out_seconds=self._speeds.hand_out_seconds,
        )
        runner = Runner(
            model=model,
            engine=core,
            context=context,
            keep_alive=settings.keep_alive,
            expires=asyncio.get_running_loop().time() + settings.keep_alive,
            holding=holding,
            timeslice=timeslice,
        )
        runner.task = self._tasks.create_task(core.run(), name=f"runner {model.name}")
        return runner

    async def _room(self, model: Model, context: int) -> cards.Holding | None:
        """Take memory of the card, after others were put out for it; None where the model runs on the CPU."""
        if not self._devices:
            return None
        settings = self._settings
        each = model.known.cache_per_token if settings.cache_per_token is None else settings.cache_per_token
        cache = each * context * settings.num_parallel
        while True:
            whole = bool(self._loaded)
            holding = memory.take(self._devices, model, cache=cache, overhead=settings.gpu_overhead, whole=whole)
            if holding is not None or not whole:
                return holding
            await self._until_idle(self._next_to_go())

    def _next_to_go(self) -> Runner:
        """Return the runner that makes room for another model: of the idle ones the one that was idle longest."""
        return min(self._loaded.values(), key=lambda runner: (runner.used > 0, runner.expires))

    def _put_out(self, runner: Runner) -> None:
        if self._loaded.get(runner.model.digest) is not runner:
            return
        del self._loaded[runner.model.digest]
        log.info("unloaded %s", runner.model.name)
        if runner.task is not None:
            runner.task.cancel()
        if runner.timeslice is not None:
            runner.timeslice.close()
        if runner.holding is not None:
            runner.holding.release()

    def _touch(self, runner: Runner) -> None:
        runner.expires = asyncio.get_running_loop().time() + runner.keep_alive


_LOOK_SECONDS = 3600.0
"""How long `expire` sleeps when nothing is in memory; a change wakes it."""
