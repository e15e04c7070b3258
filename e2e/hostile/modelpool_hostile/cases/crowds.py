"""Many callers at once: those who say nothing, and one who wants everything."""

import asyncio
import contextlib
import random
from typing import Final

from ..asking import chat, expect, request
from ..case import case
from ..engine import Asked, Line, behave
from ..gateway import HEAD_SECONDS, SLACK_SECONDS
from ..wire import Caller, NotHeldError
from ..world import GREEDY, World

_GREEDY: Final = 60


@case()
async def silent_crowd(world: World, chance: random.Random) -> None:
    """Hundreds connect and say nothing, or half a line: each is shown out in the time for a head."""
    async with contextlib.AsyncExitStack() as stack:
        crowd: list[Caller] = []
        for _ in range(chance.randrange(100, 300)):
            caller = await stack.enter_async_context(await world.caller())
            crowd.append(caller)
            if chance.random() < 0.3:
                await caller.send(b"GET / HT")
        async with await world.caller() as caller:
            await caller.send(request("/healthz"))
            expect(await caller.answer(within=5), 200)
        await asyncio.sleep(HEAD_SECONDS)
        for caller in crowd:
            await caller.rest(within=SLACK_SECONDS)


@case(seconds=40)
async def greedy_caller(world: World, chance: random.Random) -> None:
    """One caller fills the queue of an engine; another one still gets its turn."""
    seconds = chance.choice((0.1, 0.2))

    async def slowly(asked: Asked, line: Line) -> None:
        await asyncio.sleep(seconds)
        await behave(asked, line)

    world.greedy.script = slowly
    over = asyncio.Event()
    served = 0

    async def grab() -> None:
        nonlocal served
        while not over.is_set():
            async with await world.caller() as caller:
                await caller.send(request("/v1/chat/completions", chat(GREEDY), "X-Source: greedy"))
                answer = await caller.answer()
                expect(answer, 200, 429, 503, path="/v1/chat/completions")
                if answer is not None and answer.status == 200:
                    served += 1
                else:
                    await asyncio.sleep(0.05)

    try:
        async with asyncio.TaskGroup() as group:
            for number in range(_GREEDY):
                group.create_task(grab(), name=f"greedy {number}")
            try:
                await asyncio.sleep(1)
                await _ask_politely(world)
            finally:
                over.set()
    finally:
        world.greedy.good()
    if not served:
        raise NotHeldError("the greedy caller got nothing at all")


async def _ask_politely(world: World) -> None:
    for number in range(5):
        async with await world.caller() as caller:
            await caller.send(request("/v1/chat/completions", chat(GREEDY), "X-Source: polite"))
            try:
                expect(await caller.answer(), 200)
            except NotHeldError as wrong:
                raise NotHeldError(f"the polite caller's request {number + 1} of 5: {wrong}") from wrong
