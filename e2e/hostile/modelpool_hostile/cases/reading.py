"""Callers that ask for much and read nothing: they are shown out in time, and hold neither memory nor an engine."""

import asyncio
import random
from typing import Final

from .. import answers
from ..asking import DIALECTS, chat, expect, request
from ..case import case
from ..engine import Asked, Engine, Line, behave
from ..gateway import SLACK_SECONDS, WRITE_SECONDS
from ..kernel import MIB, unread_mib
from ..wire import Caller, NotHeldError
from ..world import World

_WINDOW: Final = 4096
_UNREAD_MIB: Final = 16
"""What a gateway may hold more for a caller that reads nothing."""
_FLOOD_MIB: Final = 64
"""Beyond what the kernel may hold, what an engine would send."""
_LISTS: Final = ("/metrics", "/api/tags", "/v1/models", "/modelpool/routes")
_LATE: Final = WRITE_SECONDS + SLACK_SECONDS


async def _cut_off(caller: Caller, all_bytes: int) -> None:
    """Read nothing for as long as one may, then find the connection cut. Raises NotHeldError."""
    await asyncio.sleep(2 * WRITE_SECONDS + 2)
    came = await caller.swallow(within=_LATE)
    if came >= all_bytes:
        raise NotHeldError(f"all of {all_bytes} bytes are kept for a caller that read nothing for long")


@case(alone=True)
async def unread_lists(world: World, chance: random.Random) -> None:
    """Pipelined GETs of long lists, never read: a caller is answered as it reads."""
    path = chance.choice(_LISTS)
    async with await world.caller() as caller:
        await caller.send(request(path))
        one = await caller.answer()
        expect(one, 200)
        size = len(one.body) if one is not None else 0
    count = max(60, 20 * MIB // max(size, 1))
    before = world.gateway.resident_mib()
    async with await world.caller(window=_WINDOW) as caller:
        await caller.send(request(path) * min(count, 2000), 2)
        await asyncio.sleep(1)
        grown = world.gateway.resident_mib() - before
        if grown > _UNREAD_MIB:
            raise NotHeldError(f"{count} times {path} of {size} bytes, unread: {grown:.0f} MiB more are held")
        await _cut_off(caller, size * min(count, 2000))


@case()
async def unread_stream_behind_posts(world: World, chance: random.Random) -> None:
    """Some POSTs and behind them a long stream, in one segment, never read: the engine is let go."""
    path = chance.choice(tuple(DIALECTS.values()))
    async with world.engine("vllm") as engine:
        await _flood_unread(world, engine, path, chance.choice((8, 8, 3, 20)), request(path, chat(engine.model)))


@case()
async def unread_streams(world: World, chance: random.Random) -> None:
    """A long stream, never read: the engine is held back, then let go."""
    path = chance.choice(tuple(DIALECTS.values()))
    async with world.engine(chance.choice(("vllm", "ollama"))) as engine:
        await _flood_unread(world, engine, path, 0, b"")


@case()
async def unread_documents(world: World, chance: random.Random) -> None:
    """A long document that needs no translation, never read: the same."""
    path = chance.choice(("/v1/chat/completions", "/v1/messages", "/v1/embeddings", "/v1/completions"))
    async with world.engine("vllm") as engine:
        await _flood_unread(world, engine, path, 0, b"", stream=False)


async def _flood_unread(
    world: World, engine: Engine, path: str, before: int, small: bytes, *, stream: bool = True
) -> None:
    left = asyncio.Event()

    async def flood(asked: Asked, line: Line) -> None:
        told = asked.json
        words = told.get("max_tokens") or (told.get("options") or {}).get("num_predict")
        if words != 9999:
            await behave(asked, line)
            return
        upstream = asked.path.partition("?")[0]
        piece = b"".join(answers.pieces(upstream, engine.serves, 400)[1:-3]) if stream else b'{"word": 1},' * 5000
        data = answers.chunk(piece)
        await line.send(answers.head(answers.kind_of(upstream, stream=stream)))
        try:
            await line.flood(data, (unread_mib() + _FLOOD_MIB) * MIB // len(data))
        except ConnectionError:
            left.set()
            raise
        line.close()

    engine.script = flood
    async with await world.caller(window=_WINDOW) as caller:
        await caller.send(small * before + request(path, chat(engine.model, stream=stream, words=9999)), 2)
        try:
            async with asyncio.timeout(2 * WRITE_SECONDS + SLACK_SECONDS):
                await left.wait()
        except TimeoutError as late:
            raise NotHeldError(f"the engine is still held, after {engine.sent / MIB:.1f} MiB") from late
        if engine.sent > (unread_mib() + _UNREAD_MIB) * MIB:
            raise NotHeldError(f"took {engine.sent / MIB:.1f} MiB of the engine for a caller that reads nothing")


@case()
async def slow_readers(world: World, chance: random.Random) -> None:
    """Who reads slowly but reads is served to the end: slowness is no fault."""
    path = chance.choice(tuple(DIALECTS.values()))
    words = 40_000
    async with await world.caller(window=_WINDOW) as caller:
        await caller.send(request(path, chat(world.served, stream=True, words=words)))
        reading = asyncio.get_running_loop()
        ends = reading.time() + 2 * WRITE_SECONDS
        await caller.until(b"\r\n\r\n")
        while reading.time() < ends:
            await caller.sip(64 * 1024)
            await asyncio.sleep(0.1)
        answer = await caller.answer()
        expect(answer, 200)


@case()
async def sends_ahead_and_leaves(world: World, chance: random.Random) -> None:
    """Who sends on while an answer is made, and then leaves, is known to have left."""
    path = chance.choice(tuple(DIALECTS.values()))
    left = asyncio.Event()
    async with world.engine("vllm") as engine:

        async def trickle(asked: Asked, line: Line) -> None:
            upstream = asked.path.partition("?")[0]
            if asked.json.get("max_tokens") != 9999:
                await line.send(answers.whole(answers.document(upstream, engine.serves, 3)))
                return
            await line.send(answers.head(answers.kind_of(upstream, stream=True)))
            try:
                for _ in range(200):
                    await line.send(answers.chunk(answers.pieces(upstream, engine.serves, 2)[1]))
                    await asyncio.sleep(0.05)
            except ConnectionError:
                left.set()
                raise

        engine.script = trickle
        async with await world.caller() as caller:
            await caller.send(request(path, chat(engine.model, stream=True, words=9999)))
            await caller.until(b"word")
            ahead = chance.choice((65_536, 65_537, 70_000, 200_000, 10))
            await caller.send((chance.choice((b"x", b"GET / HTTP/1.1\r\n")) * ahead)[:ahead], 0.5)
            if chance.random() < 0.5:
                caller.reset()
        try:
            async with asyncio.timeout(SLACK_SECONDS):
                await left.wait()
        except TimeoutError as late:
            raise NotHeldError(f"left after {ahead} bytes ahead; the engine still works for it") from late
