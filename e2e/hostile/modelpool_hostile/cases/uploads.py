"""Bodies that come too slowly, too large, at once, or packed in a way that cannot be opened."""

import asyncio
import gzip
import random
import zlib
from typing import Final

from ..asking import DIALECTS, chat, expect, open_request, request
from ..case import case
from ..gateway import BODY_SECONDS, SLACK_SECONDS
from ..wire import Caller, NotHeldError
from ..world import World

MIB: Final = 1024 * 1024
_PIECE: Final = b"x" * MIB


@case()
async def dribbled_bodies(world: World, chance: random.Random) -> None:
    """A body that comes byte by byte is given up in time, whichever way it is framed."""
    path = chance.choice(tuple(DIALECTS.values()))
    framing, begin, piece = chance.choice(
        (
            (("Content-Length: 100000",), b'{"model":"', b"a"),
            (("Content-Length: 100000", "X-Odd:  door", "Content-Encoding: gzip"), gzip.compress(b"{}")[:8], b"\0"),
            (("Transfer-Encoding: chunked",), b'a\r\n{"model":"\r\n', b"1\r\na\r\n"),
            (("Transfer-Encoding: chunked",), b"ffffff\r\n{", b"a"),
            (("Transfer-Encoding: chunked",), b"1", b"0"),
            (("Transfer-Encoding: chunked",), b"1;e", b"e"),
            (("Transfer-Encoding: chunked",), b"0\r\nX", b"x"),
            (("Content-Length: 50", "Connection: Upgrade", "Upgrade: h2c"), b"{", b" "),
        )
    )
    async with await world.caller() as caller:
        await caller.send(open_request(path, *framing) + begin)
        await _dribble(caller, piece, BODY_SECONDS + SLACK_SECONDS, f"{framing} {begin[:12]!r}")


async def _dribble(caller: Caller, piece: bytes, seconds: float, what: str) -> None:
    """Send piece by piece until the caller is shown out. Raises NotHeldError when it is not."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    while loop.time() < ends:
        if not await caller.send(piece, 1):
            return
        try:
            answer = await caller.answer(within=0.3)
        except NotHeldError as wrong:
            if "silence" in str(wrong):
                continue
            raise
        expect(answer, 400, 408, 411, 413, 426, 501, closed=True)
        return
    raise NotHeldError(f"{what}: still welcome after {seconds:.0f} s")


@case()
async def stalled_bodies(world: World, chance: random.Random) -> None:
    """A body that stops in its middle: refused in time, and in the caller's dialect."""
    path = chance.choice(tuple(DIALECTS.values()))
    length = chance.choice((10, 1000, 5_000_000))
    here = chance.randrange(length)
    async with await world.caller() as caller:
        await caller.send(open_request(path, f"Content-Length: {length}") + b" " * min(here, 200_000))
        expect(await caller.answer(within=BODY_SECONDS + SLACK_SECONDS), 408, path=path, closed=True)


@case()
async def oversized_bodies(world: World, chance: random.Random) -> None:
    """Beyond 64 MiB a body is refused, whether that is announced or found out."""
    path = chance.choice(tuple(DIALECTS.values()))
    async with await world.caller() as caller:
        if chance.random() < 0.5:
            length = chance.choice((64 * MIB + 1, 1 << 31, 1 << 45))
            await caller.send(open_request(path, f"Content-Length: {length}"))
            for _ in range(chance.randrange(4)):
                await caller.send(_PIECE, 2)
        else:
            await caller.send(open_request(path, "Transfer-Encoding: chunked"))
            for _ in range(70):
                if not await caller.send(b"%x\r\n%b\r\n" % (MIB, _PIECE), 2):
                    break
        answer = await caller.answer()
        expect(answer, 413, path=path, closed=True)


@case(alone=True)
async def bodies_at_once(world: World, chance: random.Random) -> None:
    """Eight bodies of tens of MiB at once: some are served or refused in words, none is lost, the memory suffices."""
    size = chance.randrange(20, 60) * MIB
    path = chance.choice(tuple(DIALECTS.values()))
    wish = request(path, chat(world.served)).partition(b"\r\n\r\n")[2][:-1] + b',"x":"'
    statuses: list[int] = []

    async def upload() -> None:
        async with await world.caller() as caller:
            await caller.send(open_request(path, f"Content-Length: {size}") + wish)
            missing = size - len(wish) - 2
            while missing > 0:
                sent = _PIECE[: min(missing, MIB)]
                missing -= len(sent)
                if not await caller.send(sent):
                    break
            else:
                await caller.send(b'"}')
            answer = await caller.answer()
            expect(answer, 200, 400, 408, 413, 503, path=path, closed=True)
            if answer is not None:
                statuses.append(answer.status)
                if answer.status == 503 and "retry-after" not in answer.headers:
                    raise NotHeldError(f"503 without Retry-After: {answer}")

    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(upload(), name=f"upload {number}")
    if not statuses:
        raise NotHeldError("nobody was answered")


PACKED: Final = ("gzip", "deflate", "br", "zstd", "identity", "compress", "gzip, gzip", "x-gzip", "nonsense", "GZIP")


@case()
async def badly_packed(world: World, chance: random.Random) -> None:
    """Bodies that are not what Content-Encoding says: refused, in the dialect."""
    path = chance.choice(tuple(DIALECTS.values()))
    plain = request(path, chat(world.served)).partition(b"\r\n\r\n")[2]
    packed = gzip.compress(plain)
    body = chance.choice(
        (
            plain, packed[: chance.randrange(1, len(packed))], packed[:-4] + b"\0\0\0\0", packed + b"trailing",
            packed * 2,
            b"\x1f\x8b" + bytes(chance.randrange(256) for _ in range(60)), zlib.compress(plain),
            zlib.compress(plain)[:-3],
            gzip.compress(packed), b"",
        )
    )  # fmt: skip
    encoding = chance.choice(PACKED)
    async with await world.caller() as caller:
        await caller.send(request(path, body, f"Content-Encoding: {encoding}"))
        try:
            expect(await caller.answer(), 200, 400, 415, path=path)
        except NotHeldError as wrong:
            raise NotHeldError(f"{encoding} {body[:24]!r}: {wrong}") from wrong


@case()
async def gzip_bombs(world: World, chance: random.Random) -> None:
    """A small body that is a large one when opened."""
    path = chance.choice(tuple(DIALECTS.values()))
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(b'{"model":"')]
    for _ in range(chance.choice((65, 100, 300))):
        parts.append(packer.compress(_PIECE))
        await asyncio.sleep(0)
    body = b"".join([*parts, packer.compress(b'"}'), packer.flush()])
    async with await world.caller() as caller:
        framing = (f"Content-Length: {len(body)}",)
        await caller.send(open_request(path, "Content-Encoding: gzip", *framing) + body)
        expect(await caller.answer(), 400, 413, 415, path=path, closed=True)
