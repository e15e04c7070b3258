"""The machine itself is short of something: descriptors, or somebody who reads the log. Gateways of their own."""

import asyncio
import contextlib
import json
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from ..asking import chat, expect, request
from ..case import case
from ..engine import Asked, Line, behave
from ..gateway import SLACK_SECONDS, Gateway
from ..wire import Caller, NotHeldError
from ..world import World

_DESCRIPTORS: Final = 128
_CROWD: Final = 220
_HOLD_SECONDS: Final = 7.0
"""Longer than three probes of a ready engine are apart."""
_ASKED: Final = 1500
_ENDS_SECONDS: Final = 2.0 + SLACK_SECONDS


@asynccontextmanager
async def _gateway(
    world: World, *flags: str, descriptors: int | None = None, stderr: int | None = None
) -> AsyncIterator[Gateway]:
    """Another gateway with the same routes, serving."""
    gateway = await Gateway.start(
        world.build, world.folder, *world.flags, *flags, descriptors=descriptors, stderr=stderr
    )
    try:
        ends = time.monotonic() + SLACK_SECONDS
        while True:
            async with await Caller.to(gateway.address) as caller:
                await caller.send(request("/v1/chat/completions", chat(world.served)))
                answer = await caller.answer()
            if answer is not None and answer.status == 200:
                break
            if time.monotonic() > ends:
                raise NotHeldError(f"did not begin to serve: {answer}")
            await asyncio.sleep(0.1)
        yield gateway
    finally:
        gateway.kill()


@case(seconds=90, alone=True)
async def few_descriptors(world: World, chance: random.Random) -> None:
    """More connections than descriptors: engines stay ready, a kept caller is served, later all are."""
    async with _gateway(world, "--head-timeout=60", descriptors=_DESCRIPTORS) as gateway:
        async with contextlib.AsyncExitStack() as stack:
            kept = await stack.enter_async_context(await Caller.to(gateway.address))
            await _ask(kept, world.served, "before the crowd")
            for _ in range(_CROWD):
                one = await stack.enter_async_context(await Caller.to(gateway.address))
                if chance.random() < 0.5:
                    await one.send(b"GET /api/tags HT")
            ends = time.monotonic() + _HOLD_SECONDS
            while time.monotonic() < ends:
                await _ask(kept, world.served, "in the crowd")
                await asyncio.sleep(0.2)
            await kept.send(request("/modelpool/routes"))
            view = await kept.answer()
            expect(view, 200)
            models = [model for pool in json.loads(view.body)["pools"] for model in pool["models"]] if view else []
            unready = [model["name"] for model in models if not model["ready"]]
            if unready:
                raise NotHeldError(f"engines count as dead for want of descriptors: {unready[:5]} of {len(models)}")
        ends = time.monotonic() + SLACK_SECONDS
        while True:
            try:
                async with await Caller.to(gateway.address) as caller:
                    await _ask(caller, world.served, "after the crowd")
                break
            except NotHeldError:
                if time.monotonic() > ends:
                    raise
                await asyncio.sleep(0.2)


async def _ask(caller: Caller, model: str, when: str) -> None:
    await caller.send(request("/v1/chat/completions", chat(model)))
    try:
        expect(await caller.answer(within=5), 200)
    except NotHeldError as wrong:
        raise NotHeldError(f"{when}: {wrong}") from wrong


@case(seconds=90, alone=True)
async def unread_log(world: World, chance: random.Random) -> None:
    """Nobody reads the log: callers are served all the same, and the gateway ends when told to."""
    reads, writes = os.pipe()
    try:
        async with _gateway(world, stderr=writes) as gateway:
            path = chance.choice(("/nowhere", "/api/show"))
            async with await Caller.to(gateway.address) as caller:
                for number in range(_ASKED):
                    await caller.send(request(path, {"model": "m" * 200}, f"User-Agent: {'u' * 300}"))
                    try:
                        expect(await caller.answer(within=5), 404)
                    except NotHeldError as wrong:
                        raise NotHeldError(f"request {number + 1} of {_ASKED}: {wrong}") from wrong
            await _ends(gateway)
    finally:
        os.close(reads)
        os.close(writes)


@case(seconds=90, alone=True)
async def ends_when_told(world: World, chance: random.Random) -> None:
    """SIGTERM amid silent callers, unread streams, half requests and engines that hang: it ends in its time."""

    async def hang(asked: Asked, line: Line) -> None:
        if asked.json.get("max_tokens") != 9999:
            await behave(asked, line)
            return
        await line.gone()

    path = chance.choice(("/v1/chat/completions", "/v1/messages", "/api/chat"))
    async with contextlib.AsyncExitStack() as stack:
        engine = await stack.enter_async_context(world.engine("vllm"))
        gateway = await stack.enter_async_context(_gateway(world, "--read-timeout=60"))

        async def enter() -> Caller:
            return await stack.enter_async_context(await Caller.to(gateway.address, window=4096))

        engine.script = hang
        for _ in range(5):
            await enter()
            await (await enter()).send(request("/api/tags") * 40, 1)
            await (await enter()).send(request(path, chat(engine.model, words=9999)))
            await (await enter()).send(request(path, chat(world.served, stream=True, words=20_000)))
            await (await enter()).send(request(path, chat(engine.model))[: chance.randrange(1, 60)])
        await asyncio.sleep(0.5)
        await _ends(gateway)


async def _ends(gateway: Gateway) -> None:
    began = time.monotonic()
    status = await gateway.stop()
    took = time.monotonic() - began
    if status != 0 or took > _ENDS_SECONDS:
        raise NotHeldError(f"ended with {status} after {took:.1f} s; wanted 0 within {_ENDS_SECONDS:.0f} s")
