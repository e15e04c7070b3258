"""Engines that send without measure: the gateway takes what its limits say, and no more."""

import random
from typing import Final

from .. import answers
from ..asking import DIALECTS, chat, ends_well, expect_refusal, request
from ..case import case
from ..engine import Asked, Line
from ..gateway import READ_SECONDS, SLACK_SECONDS
from ..kernel import MIB, unread_mib
from ..wire import PATIENCE, NotHeldError
from ..world import World

_LINE_MIB: Final = 8
_ANSWER_MIB: Final = 64
_FILLER: Final = b"word " * (MIB // 5)


async def _flood(world: World, kind: str, path: str, *, stream: bool, begin: bytes, times: int, most_mib: int) -> None:
    """Let an engine send `begin` and then MiB after MiB, and hold what was taken of it to a limit."""

    async def flood(asked: Asked, line: Line) -> None:
        await line.send(begin)
        await line.flood(answers.chunk(_FILLER), times)
        line.close()

    async with world.engine(kind) as engine:
        engine.script = flood
        async with await world.caller() as caller:
            wish = chat(engine.model, stream=stream, input="x", prompt="x")
            await caller.send(request(path, wish))
            answer = await caller.answer(within=PATIENCE + 2 * READ_SECONDS + SLACK_SECONDS)
        sent = engine.sent / MIB
        what = f"{path} stream={stream} of {kind}: took {sent:.0f} MiB of {times}"
        if sent > most_mib + unread_mib():
            raise NotHeldError(f"{what}, wanted at most {most_mib}; {str(answer)[:200]}")
        if answer is None:
            raise NotHeldError(f"{what}: closed without a word")
        if answer.status == 200 and answer.whole and (ends_well(answer, path) or b"error" not in answer.body[-5000:]):
            raise NotHeldError(f"{what}: a good end of what is none: {str(answer)[:200]}")
        if answer.status != 200:
            expect_refusal(answer, None)


@case(alone=True, seconds=60)
async def one_long_line(world: World, chance: random.Random) -> None:
    """One event or line of 24 to 100 MB, where names are to be replaced."""
    path = chance.choice(tuple(DIALECTS.values()))
    kind = chance.choice(("vllm", "ollama"))
    lines = kind == "ollama" and path == "/api/chat"
    begin = answers.head(answers.LINES if lines else answers.EVENTS)
    start = b'{"model":"m","message":{"content":"' if lines else b'data: {"model":"m","choices":[{"delta":{"content":"'
    times = unread_mib() + chance.randrange(24, 100)
    await _flood(world, kind, path, stream=True, begin=begin + answers.chunk(start), times=times, most_mib=_LINE_MIB)


@case(alone=True, seconds=60)
async def long_documents(world: World, chance: random.Random) -> None:
    """Documents of hundreds of MiB that must be gathered to be translated."""
    path = chance.choice(("/api/chat", "/api/generate", "/api/embed", "/api/embeddings"))
    start = (
        b'{"object":"list","model":"m","data":[{"embedding":"'
        if "embed" in path
        else b'{"choices":[{"message":{"content":"'
    )
    begin = answers.head(answers.JSON) + answers.chunk(start)
    await _flood(
        world,
        "vllm",
        path,
        stream=False,
        begin=begin,
        times=unread_mib() + chance.randrange(100, 300),
        most_mib=_ANSWER_MIB,
    )


@case(alone=True, seconds=60)
async def long_refusals(world: World, chance: random.Random) -> None:
    """An error of hundreds of MiB."""
    status = chance.choice(("400 Bad", "500 Oh", "503 Busy", "404 Not Found"))
    begin = answers.head(answers.JSON, status=status) + answers.chunk(b'{"error":{"message":"')
    path = chance.choice(tuple(DIALECTS.values()))
    async with world.engine("vllm") as engine:

        async def flood(asked: Asked, line: Line) -> None:
            await line.send(begin)
            await line.flood(answers.chunk(_FILLER), 200)
            line.close()

        engine.script = flood
        async with await world.caller(window=4096) as caller:
            await caller.send(request(path, chat(engine.model)))
            await caller.until(b"\r\n", PATIENCE)
        sent = engine.sent / MIB
        if sent > _ANSWER_MIB + unread_mib():
            raise NotHeldError(f"{path}: took {sent:.0f} MiB of an error")
