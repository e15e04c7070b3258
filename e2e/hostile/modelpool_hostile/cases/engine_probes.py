"""Engines that answer probes with anything: they are not ready then, and the gateway goes on asking all of them."""

import asyncio
import json
import random
from typing import Final

from .. import answers
from ..asking import chat, expect, request
from ..case import case
from ..engine import Asked, Engine, Line, Script
from ..kernel import MIB, unread_mib
from ..wire import NotHeldError
from ..world import World

_DEEP: Final = 20_000
_SEEN_SECONDS: Final = 15.0
_LIST_MIB: Final = 64
"""More than is read of an answer to a probe."""


def bad_lists(chance: random.Random) -> bytes:
    """What an engine may say in place of its list of models."""
    deep = chance.randrange(1000, 3 * _DEEP)
    return chance.choice(
        (
            b'{"models":[{"name":"\xff\xfe\xed\xa0\x80"}]}',
            b'{"models":' + b"[" * deep + b"]" * deep + b"}",
            b'{"x":' * deep + b"1" + b"}" * deep,
            b"[" * deep,
            b"",
            b"null",
            b'"models"',
            b'{"models":{"name":1}}',
            b'{"models":[null,1,"x",[],{"name":null},{"name":7}]}',
            b'{"models":[{"name":"' + b"n" * 1_000_000 + b'"}]}',
            b'{"models":[' + b",".join([b'{"name":"x"}'] * 100_000) + b"]}",
            b'{"models":[{"name":"\\ud800"}]}',
            b'{"models":1e999}',
            b"\xef\xbb\xbf{}",
            bytes(chance.randrange(256) for _ in range(chance.randrange(1, 3000))),
            json.dumps({"models": [{"name": "x"}]}).encode()[: chance.randrange(1, 20)],
        )
    )


def bad_wires(chance: random.Random) -> list[bytes]:
    """What is no answer to a request for a list."""
    junk = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 5000)))
    return [
        junk,
        b"HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"",
    ]


@case()
async def probe_lists(world: World, chance: random.Random) -> None:
    """An Ollama's list that is none: the engine counts as not ready or empty, and comes back when it behaves."""
    body = bad_lists(chance)

    async def probe(asked: Asked, line: Line) -> None:
        await line.send(answers.whole(body))

    await _lie(world, "ollama", probe, f"list {body[:40]!r} of {len(body)} bytes")


@case()
async def probe_wires(world: World, chance: random.Random) -> None:
    """The answer to a probe is no HTTP, or an odd one."""
    said = chance.choice(bad_wires(chance))
    end = chance.choice(("keep", "close", "reset", "hang"))

    async def probe(asked: Asked, line: Line) -> None:
        await line.send(said)
        if end == "hang":
            await line.gone()
        if end != "keep":
            (line.reset if end == "reset" else line.close)()

    await _lie(world, chance.choice(world.probed), probe, f"{end} after {said[:40]!r}")


@case()
async def probe_floods(world: World, chance: random.Random) -> None:
    """A list without an end is not read to its end."""

    async def probe(asked: Asked, line: Line) -> None:
        await line.send(answers.head(answers.JSON) + answers.chunk(b'{"models":['))
        names = answers.chunk(b'{"name":"x"},' * 5000)
        await line.flood(names, (unread_mib() + 2 * _LIST_MIB) * MIB // len(names))

    async with world.engine("ollama") as engine:
        engine.probe = probe
        await _until_probed(engine)
        await asyncio.sleep(2.5)
        sent = engine.sent / MIB
        if sent > unread_mib() + _LIST_MIB:
            raise NotHeldError(f"a probe took {sent:.0f} MiB of the engine")


@case()
async def engine_is_stopped(world: World, chance: random.Random) -> None:
    """An engine that accepts and says nothing, as a stopped process does; then it goes on."""

    async def nothing(asked: Asked, line: Line) -> None:
        await line.gone()
        line.close()

    async with world.engine(chance.choice(("vllm", "ollama"))) as engine:
        engine.probe = engine.script = nothing
        async with await world.caller() as caller:
            await caller.send(request("/v1/chat/completions", chat(engine.model)))
            expect(await caller.answer(), 502, 503, 504, path="/v1/chat/completions")


async def _lie(world: World, kind: str, probe: Script, what: str) -> None:
    """Lie to probes for a while; `World.engine` then holds that the engine comes back. Raises NotHeldError."""
    async with world.engine(kind) as engine:
        engine.probe = probe
        await _until_probed(engine)
        async with await world.caller() as caller:
            await caller.send(request("/v1/chat/completions", chat(engine.model)))
            try:
                expect(await caller.answer(), 200, 404, 502, 503, 504, path="/v1/chat/completions")
            except NotHeldError as wrong:
                raise NotHeldError(f"{what}: {wrong}") from wrong


async def _until_probed(engine: Engine) -> None:
    lying, seen = engine.probe, asyncio.Event()
    assert lying is not None

    async def noticing(asked: Asked, line: Line) -> None:
        seen.set()
        await lying(asked, line)

    engine.probe = noticing
    try:
        async with asyncio.timeout(_SEEN_SECONDS):
            await seen.wait()
    except TimeoutError as late:
        raise NotHeldError(f"no probe of {engine.model} within {_SEEN_SECONDS:.0f} s") from late
