"""One gateway under attack: what is tried when, what held, and what the innocent caller noticed."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .asking import request
from .case import Case
from .innocents import Innocents
from .results import Outcome
from .wire import Caller, NotHeldError
from .world import World

_BATCH_SECONDS: Final = 3.0
"""Quick cases are tried again while slow ones of their batch go on, this long and so often at most."""
_TRIES: Final = 8
_WARM_SECONDS: Final = 3.0
_QUIET_SECONDS: Final = 12.0
_ASKS_WITHIN: Final = 10.0
_HEALTHY_SECONDS: Final = 10.0
_MORE_DESCRIPTORS: Final = 32
_SHOWN: Final = 20
_LATE_SHOWN: Final = 8


@dataclass(slots=True, kw_only=True)
class Attack:
    """All attacks on one gateway."""

    name: str
    """Of the gateway."""
    world: World
    innocents: Innocents
    chosen: Sequence[Case]
    seed: int
    at_once: int
    """How many cases are tried at the same time."""
    outcome: Outcome = field(default_factory=Outcome)
    under_way: set[str] = field(default_factory=set)
    _faults: set[str] = field(default_factory=set)
    _heard: int = 0
    _late: dict[str, tuple[int, int]] = field(default_factory=dict)
    _base_mib: float = 0.0
    _base_files: int = 0

    def hear(self, told: dict[str, Any]) -> None:
        """Print failures that the innocent caller met, beside what was tried then; of late answers the most."""
        during = "+".join(sorted(self.under_way)) or "nothing"
        if "late_ms" in told:
            count, most = self._late.get(during, (0, 0))
            self._late[during] = (count + 1, max(most, int(told["late_ms"])))
            return
        self._heard += 1
        if self._heard <= _SHOWN:
            say(f"innocent[{self.name}] {told} during {during}")

    async def run(self, seconds: float, *, once: bool) -> None:
        """Attack for so many seconds; `once`: each case one time, with the very seed."""
        await self.begin()
        ends = time.monotonic() + seconds
        number = 0
        while True:
            chance = random.Random(f"{self.seed}/{number}")
            for batch in batches(self.chosen, chance, self.at_once):
                await self._batch(batch, self.seed + number * _TRIES, once=once)
                if time.monotonic() > ends and not once:
                    await self.end()
                    return
            number += 1
            if once:
                await self.end()
                return

    async def begin(self) -> None:
        """Warm up, then take down where memory and descriptors stand."""
        await self._serving()
        for path in ("/api/tags", "/v1/models", "/metrics", "/modelpool/routes"):
            await _get(self.world.gateway.address, path)
        await asyncio.sleep(_WARM_SECONDS)
        self.innocents.order(reset=True)
        self._base_mib = self.world.gateway.resident_mib()
        self._base_files = self.world.gateway.descriptors()

    async def _serving(self) -> None:
        for model in ("innocent", *(engine.model for engine in self.world.engines)):
            await self.world.until_served(model)
        self.innocents.order(ask=list(self.world.gateway.address))

    async def end(self) -> None:
        """Let it become quiet, and see what has stayed behind."""
        told = await self.innocents.all()
        with contextlib.suppress(TimeoutError):  # a short run may be over before the first question was answered
            async with asyncio.timeout(_ASKS_WITHIN):
                while not told["asked"]:
                    await asyncio.sleep(0.1)
                    told = await self.innocents.all()
        self.outcome.innocent_asked = told["asked"]
        self.outcome.innocent_failed = told["failed"]
        self.outcome.innocent_p99_ms = told["p99_ms"]
        for during, (count, most) in sorted(self._late.items(), key=lambda one: -one[1][0])[:_LATE_SHOWN]:
            say(f"innocent[{self.name}] late {count} times, at most {most} ms, during {during}")
        say(f"innocent[{self.name}] all in all {told}")
        await self._count("quiet_afterwards", self.seed, self._quiet())
        grown = self.world.gateway.resident_mib() - self._base_mib
        self.outcome.growth_mib = max(self.outcome.growth_mib, grown)

    async def _quiet(self) -> None:
        """Raises NotHeldError when connections, requests or descriptors of attackers are still there."""
        ends = time.monotonic() + _QUIET_SECONDS
        while True:
            files = self.world.gateway.descriptors()
            view = await _get(self.world.gateway.address, "/modelpool/demand")
            busy = [
                one
                for one in view["models"]
                if one["pool"]["name"] != "innocent" and (one["inFlight"] or one["pending"])
            ]
            if files <= self._base_files + _MORE_DESCRIPTORS and not busy:
                break
            if time.monotonic() > ends:
                raise NotHeldError(f"{files} descriptors, {self._base_files} at first; under way: {busy[:3]}")
            await asyncio.sleep(0.5)
        await asyncio.sleep(1)

    async def _batch(self, batch: Sequence[Case], seed: int, *, once: bool) -> None:
        began = time.monotonic()
        self.under_way |= {case.name for case in batch}
        async with asyncio.TaskGroup() as group:
            for case in batch:
                group.create_task(self._repeat(case, seed, began, once=once), name=case.name)
        after = "health_after_" + "+".join(sorted(self.under_way))
        healthy = await self._count(after, seed, self._healthy(), counts=False)
        self.under_way.clear()
        for fault in self.world.gateway.faults():
            if (known := fault[:120]) not in self._faults:
                self._faults.add(known)
                self.fail("log", seed, f"during {'+'.join(case.name for case in batch)}: {fault}")
        if not self.world.gateway.alive:
            self.fail("+".join(case.name for case in batch), seed, f"ended with {self.world.gateway.process.poll()}")
            await self._restart()
        elif not healthy:
            await self._restart()

    async def _repeat(self, case: Case, seed: int, began: float, *, once: bool) -> None:
        for number in range(1 if once or case.alone else _TRIES):
            held = await self._count(case.name, seed + number, self._try(case, seed + number))
            if not held or time.monotonic() > began + _BATCH_SECONDS:
                return

    async def _try(self, case: Case, seed: int) -> None:
        try:
            async with asyncio.timeout(case.seconds):
                await case.attack(self.world, random.Random(f"{case.name}/{seed}"))
        except TimeoutError as late:
            raise NotHeldError(f"not over within {case.seconds:.0f} s") from late

    async def _count(self, name: str, seed: int, trying: Any, *, counts: bool = True) -> bool:
        """Wait for a try, and count it; whether it held."""
        try:
            await trying
        except (NotHeldError, OSError) as wrong:
            self.fail(name, seed, str(wrong))
            return False
        except ExceptionGroup as group:
            self.fail(name, seed, str(first_of(group)))
            return False
        self.outcome.tried += counts
        self.outcome.held += counts
        return True

    def fail(self, name: str, seed: int, seen: str) -> None:
        """Count a failure and print how it is tried again."""
        self.outcome.tried += 1
        self.outcome.failed += 1
        say(f"FAILED CASE={name} SEED={seed} gateway={self.name}: {seen[:700]}")

    async def _healthy(self) -> None:
        """After each batch somebody new is answered at once."""
        if self.world.gateway.alive:
            async with await Caller.to(self.world.gateway.address) as caller:
                await caller.send(request("/healthz"))
                answer = await caller.answer(within=_HEALTHY_SECONDS)
            if answer is None or answer.status != 200:
                raise NotHeldError(f"/healthz afterwards: {answer}")

    async def _restart(self) -> None:
        """Put a new gateway in the place of one that is dead or hangs; the innocent caller pauses meanwhile."""
        self.innocents.order(ask=None)
        await self.innocents.all()
        self.world.gateway.kill()
        await self.world.start_gateway()
        await self._serving()
        await asyncio.sleep(_WARM_SECONDS)
        self._base_mib = self.world.gateway.resident_mib()
        self._base_files = self.world.gateway.descriptors()
        say(f"restarted gateway={self.name}")


def batches(chosen: Sequence[Case], chance: random.Random, at_once: int) -> Iterator[list[Case]]:
    """All cases in an order by chance; several at once, but for those that want to be alone."""
    together = [case for case in chosen if not case.alone]
    chance.shuffle(together)
    found = [together[at : at + at_once] for at in range(0, len(together), at_once)]
    found += [[case] for case in chosen if case.alone]
    chance.shuffle(found)
    yield from found


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first fault of a group, however deep; one that is not of what was tried is raised.

    Raises the group when a fault is a bug of the cases themselves.
    """
    found = group.exceptions[0]
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    if not isinstance(found, NotHeldError | OSError):
        raise group
    return found


async def _get(address: tuple[str, int], path: str) -> Any:
    async with await Caller.to(address) as caller:
        await caller.send(request(path))
        answer = await caller.answer()
    if answer is None or answer.status != 200:
        raise NotHeldError(f"{path}: {answer}")
    return json.loads(answer.body) if answer.headers.get("content-type", "").startswith("application/json") else None


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)
