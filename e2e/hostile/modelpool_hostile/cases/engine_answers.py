"""Engines that answer with what is no answer: their caller is told so, in its dialect."""

import asyncio
import random
from typing import Final

from .. import answers
from ..answers import JSON
from ..asking import DIALECTS, chat, request
from ..case import case
from ..engine import Asked, Line
from ..gateway import READ_SECONDS, SLACK_SECONDS
from ..kernel import MIB, unread_mib
from ..wire import NotHeldError
from ..world import World
from .lies import hold, let_say

_OK: Final = b'{"ok":true}'
_HEADS_MIB: Final = 4
"""What is read of informational answers."""


@case()
async def no_http(world: World, chance: random.Random) -> None:
    """Random bytes, other protocols, statuses out of range, broken heads."""
    junk = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 4000)))
    head = b"HTTP/1.1 200 OK\r\n"
    said = chance.choice(
        (
            junk, b"", b"\r\n\r\n", b"SSH-2.0-x\r\n", b"\x15\x03\x01\x00\x02\x02\x16", b"HTTP/2.0 200 OK\r\n\r\n",
            b"HTTP/1.1 099 x\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 1000 x\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 000 x\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 abc x\r\n\r\n", b"HTTP/1.1 -1 x\r\n\r\n",
            b"HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 600 x\r\nContent-Length: 0\r\n\r\n",
            head + b"X\0: y\r\nContent-Length: 2\r\n\r\n{}", head + b"no colon\r\n\r\n", head + b" folded: x\r\n\r\n",
            head + b"Content-Length: x\r\n\r\n", head + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            head + b"Transfer-Encoding: gzip\r\n\r\n{}", head + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
            head + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}", head + b"X: " + b"y" * 300_000,
            head + b"".join(b"X-%d: y\r\n" % number for number in range(5000)),
        )
    )  # fmt: skip
    await let_say(world, chance, said, chance.choice(("close", "reset", "hang")), refused=(429,))


@case()
async def statuses(world: World, chance: random.Random) -> None:
    """Statuses that are no error of the engine's, or that say something else: passed on, or a failed engine."""
    status, more = chance.choice(
        (
            ("404 Not Found", ""), ("429 Too Many", "Retry-After: 7\r\n"), ("301 Moved", "Location: /x\r\n"),
            ("204 No Content", ""), ("205 Reset", ""), ("206 Partial", ""), ("304 Not Modified", ""), ("401 No", ""),
            ("418 Teapot", ""), ("503 Busy", "Retry-After: 1\r\n"), ("500 Oh", ""), ("511 Login", ""), ("201 Created",
            ""),
        )
    )  # fmt: skip
    body = chance.choice((b"404 page not found", _OK, b"<html>oh</html>", b"", b"\xff\xfe"))
    said = answers.whole(body, chance.choice((JSON, "text/plain", "text/html")), status=status, more=more)
    code = int(status[:3])
    passed = {code, 400, 404, 502} if 200 <= code < 600 else set()
    await let_say(world, chance, said, "keep", whole=True, refused=tuple(passed), own_words=True)


@case()
async def asked_to_wait(world: World, chance: random.Random) -> None:
    """429 with Retry-After reaches the caller with its Retry-After, in its dialect, and is nobody's death."""
    path = chance.choice(tuple(DIALECTS.values()))

    async def busy(asked: Asked, line: Line) -> None:
        told = b'{"error":{"message":"slow down","type":"RateLimitError","code":429}}'
        await line.send(answers.whole(told, status="429 Too Many Requests", more="Retry-After: 7\r\n"))

    async with world.engine("vllm") as engine:
        engine.script = busy
        async with await world.caller() as caller:
            await caller.send(request(path, chat(engine.model)))
            answer = await caller.answer()
        if answer is None or answer.status != 429 or answer.headers.get("retry-after") != "7":
            raise NotHeldError(f"{path}: {answer} {answer.headers if answer else ''}; wanted 429 with Retry-After: 7")


@case()
async def interim_without_end(world: World, chance: random.Random) -> None:
    """100, 102 and 103 for ever: the caller is told in time, and not by them."""
    code = chance.choice((100, 102, 103, 199))
    said = b"HTTP/1.1 %d Wait\r\n%b\r\n" % (code, b"Link: </x>\r\n" * chance.randrange(3))

    async def stall(asked: Asked, line: Line) -> None:
        if chance_flood:
            await line.flood(said * 500, (unread_mib() + 64) * MIB // (len(said) * 500))
        while True:
            await line.send(said)
            await asyncio.sleep(0.1)

    chance_flood = chance.random() < 0.5
    path = chance.choice(tuple(DIALECTS.values()))
    async with world.engine("vllm") as engine:
        engine.script = stall
        async with await world.caller() as caller:
            await caller.send(request(path, chat(engine.model)))
            answer = await caller.answer(within=3 * READ_SECONDS + SLACK_SECONDS)
            hold(answer, path, whole=False, refused=())
            if answer is not None and answer.interim:
                raise NotHeldError(f"the caller saw {answer.interim[:5]}")
        sent = engine.sent / MIB
        if sent > unread_mib() + _HEADS_MIB:
            raise NotHeldError(f"took {sent:.0f} MiB of {code}")


@case()
async def says_too_much(world: World, chance: random.Random) -> None:
    """Two answers to one request, more than the length, and answers that nobody asked for."""
    one = answers.whole(answers.openai_document("m", 3))
    stray = answers.whole(b'{"stray":true}', status=chance.choice(("200 OK", "500 No")))
    said = chance.choice((one + stray, one + stray * 50, one + b"garbage", one + b"\r\n" * 100, one + b"\0" * 70_000))
    await let_say(world, chance, said, chance.choice(("keep", "close")), whole=True)


@case()
async def speaks_first(world: World, chance: random.Random) -> None:
    """An engine that answers before it is asked: nobody gets that answer as his own."""
    stray = answers.whole(b'{"stray":true}')
    path = chance.choice(tuple(DIALECTS.values()))

    async def greet(line: Line) -> None:
        await line.send(stray)

    async with world.engine("vllm") as engine:
        engine.greeting = greet
        for _ in range(3):
            async with await world.caller() as caller:
                await caller.send(request(path, chat(engine.model)))
                answer = await caller.answer()
            if answer is None or b"stray" in answer.body:
                raise NotHeldError(f"{path}: {answer}; wanted no answer that came before the request")


@case()
async def refuses_or_resets(world: World, chance: random.Random) -> None:
    """An engine that refuses connections, or resets each."""
    path = chance.choice(tuple(DIALECTS.values()))

    async def reset(line: Line) -> None:
        line.reset()

    async with world.engine(chance.choice(("vllm", "ollama"))) as engine:
        if refuses := chance.random() < 0.5:
            await engine.stop()
        else:
            engine.greeting = reset
        try:
            async with await world.caller() as caller:
                await caller.send(request(path, chat(engine.model)))
                answer = await caller.answer()
            if answer is not None and answer.status == 200:  # over a connection that was kept
                return
            hold(answer, path, whole=False, refused=())
        finally:
            if refuses:
                await engine.start()
