"""Callers that leave: at any byte, with or without a goodbye, or by half. Nothing must stay behind."""

import asyncio
import random

from ..asking import DIALECTS, chat, expect, request
from ..case import case
from ..engine import Asked, Line, behave
from ..gateway import BODY_SECONDS, SLACK_SECONDS
from ..wire import NotHeldError
from ..world import World


@case()
async def leaves_at_any_byte(world: World, chance: random.Random) -> None:
    """A score of callers cut their requests off anywhere, and leave."""
    for _ in range(20):
        path = chance.choice((*DIALECTS.values(), "/api/tags", "/metrics"))
        data = request(
            path, chat(world.served, stream=chance.random() < 0.5) if path.startswith(("/v1", "/api/c")) else None
        )
        async with await world.caller() as caller:
            await caller.send(data[: chance.randrange(len(data) + 1)])
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() * 0.05)
            if chance.random() < 0.5:
                caller.reset()


@case()
async def half_closed(world: World, chance: random.Random) -> None:
    """Who says that no more will come is answered, if the request is whole, or sees the end."""
    path = chance.choice(tuple(DIALECTS.values()))
    data = request(path, chat(world.served, stream=chance.random() < 0.5))
    whole = chance.random() < 0.5
    async with await world.caller() as caller:
        await caller.send(data if whole else data[: chance.randrange(1, len(data))])
        caller.half_close()
        expect(await caller.answer(within=BODY_SECONDS + SLACK_SECONDS), 200, 400, 408, closed=True)
        await caller.rest(within=SLACK_SECONDS)


@case()
async def leaves_while_waiting(world: World, chance: random.Random) -> None:
    """Who leaves before the engine has said a word ends the engine's work."""
    path = chance.choice(tuple(DIALECTS.values()))
    left = asyncio.Event()
    async with world.engine(chance.choice(("vllm", "ollama"))) as engine:

        async def think(asked: Asked, line: Line) -> None:
            if asked.json.get("stream") is not True:
                await behave(asked, line)
                return
            await line.gone()
            left.set()
            line.close()

        engine.script = think
        async with await world.caller() as caller:
            await caller.send(request(path, chat(engine.model, stream=True)))
            await asyncio.sleep(0.2 + chance.random() * 0.3)
            if chance.random() < 0.5:
                caller.reset()
        try:
            async with asyncio.timeout(2):
                await left.wait()
        except TimeoutError as late:
            raise NotHeldError("two seconds after its caller has left, the engine still works") from late
