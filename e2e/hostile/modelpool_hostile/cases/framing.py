"""Where one request ends and the next begins: what is disputed there is refused, and nothing is smuggled past."""

import asyncio
import gzip
import itertools
import random
from typing import Final

from ..asking import DIALECTS, HOST, chat, expect, request
from ..case import case
from ..gateway import HEAD_SECONDS, SLACK_SECONDS
from ..wire import NotHeldError
from ..world import World

_INNER: Final = b"GET /modelpool/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_TE: Final = b"Transfer-Encoding: chunked\r\n"

SMUGGLING: Final = (
    (_TE + b"Content-Length: %d\r\n", b"0\r\n\r\n" + _INNER),
    (b"Content-Length: %d\r\n" + _TE, b"0\r\n\r\n" + _INNER),
    (b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + _INNER),
    (b"Transfer-Encoding: identity\r\n", b"0\r\n\r\n" + _INNER),
    (b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n" + _INNER),
    (b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n" + _INNER),
    (b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + _INNER),
    (b"Transfer-Encoding:\tchunked\r\nContent-Length: %d\r\n", b"0\r\n\r\n" + _INNER),
    (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"0\r\n\r\n" + _INNER),
    (b"Transfer-Encoding:\r\n chunked\r\nContent-Length: %d\r\n", b"0\r\n\r\n" + _INNER),
    (b"X: y\nTransfer-Encoding: chunked\r\nContent-Length: %d\r\n", b"0\r\n\r\n" + _INNER),
    (b"Content-Length: 0\r\nContent-Length: %d\r\n", _INNER),
    (b"Content-Length: %d\r\nContent-Length: 0\r\n", _INNER),
    (_TE, b"5\r\n{}\r\n0\r\n\r\n" + _INNER),
    (_TE, b"-1\r\n\r\n" + _INNER),
    (_TE, b"0x2\r\n{}\r\n0\r\n\r\n" + _INNER),
    (_TE, b"2;a\nb\r\n{}\r\n0\r\n\r\n" + _INNER),
    (_TE, b"2\n{}\n0\n\n" + _INNER),
    (_TE, b"FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n" + _INNER),
    (_TE, b"2 \r\n{}\r\n0\r\n\r\n" + _INNER),
    (_TE, b"2\r\n{}x\r\n0\r\n\r\n" + _INNER),
)
"""Headers and body; `%d` stands for the length of all that follows."""


@case()
async def smuggling(world: World, chance: random.Random) -> None:
    """With two readings of one request there is at most one answer, and the connection ends."""
    headers, behind = chance.choice(SMUGGLING)
    lines = headers.replace(b"%d", b"%d" % len(behind))
    path = chance.choice(tuple(DIALECTS.values())).encode()
    async with await world.caller() as caller:
        await caller.send(b"POST " + path + b" HTTP/1.1\r\nHost: " + HOST.encode() + b"\r\n" + lines + b"\r\n" + behind)
        try:
            expect(await caller.answer(), 400, 408, 411, 413, 415, 501, closed=True)
            rest = await caller.rest(within=HEAD_SECONDS + SLACK_SECONDS)
        except NotHeldError as wrong:
            raise NotHeldError(f"{headers!r} {behind[:24]!r}: {wrong}") from wrong
        if b"HTTP/1.1 404" in rest or b"HTTP/1.1 200" in rest:
            raise NotHeldError(f"{headers!r} {behind[:24]!r}: what was smuggled is answered: {rest[:160]!r}")


@case()
async def garbage_behind(world: World, chance: random.Random) -> None:
    """A valid request with garbage in the same segment is answered, then the connection ends."""
    junk = bytes(chance.randrange(256) for _ in range(chance.randrange(4, 300))) + b"\r\n\r\n"
    junk = chance.choice((junk, b"\0\0\0\0\r\n\r\n", b"}}}}\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"GET\r\n\r\n"))
    wishes = (
        request("/healthz"),
        request("/api/version"),
        *(request(p, chat(world.served)) for p in DIALECTS.values()),
    )
    async with await world.caller() as caller:
        await caller.send(chance.choice(wishes) + junk)
        expect(await caller.answer(), 200)
        expect(await caller.answer(within=HEAD_SECONDS + SLACK_SECONDS), 400, 404, 405, 408, 501, 505, closed=True)
        await caller.rest(within=SLACK_SECONDS)


@case()
async def cut_anywhere(world: World, chance: random.Random) -> None:
    """However a valid request is cut into segments, it is served; so are those behind it."""
    path = chance.choice(tuple(DIALECTS.values()))
    wish = chat(world.served, stream=chance.random() < 0.5)
    count = chance.randrange(1, 4)
    data = request(path, wish) * count
    if chance.random() < 0.3:
        packed = gzip.compress(request(path, wish).partition(b"\r\n\r\n")[2])
        data, count = request(path, packed, "Content-Encoding: gzip"), 1
    cuts = sorted({0, len(data), *(chance.randrange(len(data)) for _ in range(chance.randrange(1, 9)))})
    async with await world.caller() as caller:
        for begin, end in itertools.pairwise(cuts):
            await caller.send(data[begin:end])
            if chance.random() < 0.3:
                await _pause(chance)
        for _ in range(count):
            expect(await caller.answer(), 200)


@case()
async def flipped_bytes(world: World, chance: random.Random) -> None:
    """A valid request with some bytes changed, lost or doubled."""
    path = chance.choice(tuple(DIALECTS.values()))
    data = bytearray(request(path, chat(world.served), "X-Source: flips", "Accept: */*"))
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(data))
        match chance.randrange(3):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                del data[at]
            case _:
                data[at:at] = data[at : at + chance.randrange(1, 9)]
    async with await world.caller() as caller:
        await caller.send(bytes(data))
        if chance.random() < 0.5:
            caller.half_close()
        answer = await caller.answer()
        if answer is not None and answer.status != 200:
            wanted = (400, 403, 404, 405, 408, 411, 413, 414, 415, 417, 422, 431, 501, 505)
            try:
                expect(answer, *wanted)
            except NotHeldError as wrong:
                raise NotHeldError(f"{bytes(data)[:300]!r}: {wrong}") from wrong


async def _pause(chance: random.Random) -> None:
    """Wait as long as segments of one request may be apart."""
    await asyncio.sleep(chance.random() * 0.02)
