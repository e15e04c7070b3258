"""Heads that are none: each is refused or the connection is closed, never passed on and never left in silence."""

import random
from typing import Final

from ..asking import HOST, chat, expect, request
from ..case import case
from ..gateway import HEAD_SECONDS, SLACK_SECONDS
from ..wire import NotHeldError
from ..world import World

_REFUSED: Final = (400, 403, 404, 405, 408, 411, 413, 414, 417, 431, 501, 505)
_H: Final = b"Host: " + HOST.encode()

MALFORMED: Final = (
    b"GET / HTTP/1.1\r\n\r\n",  # no Host
    b"GET / HTTP/1.1\r\n" + _H + b"\r\nHost: other\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + _H + b"\r\n" + _H + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + _H + b"\r\n folded: x\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + _H + b"\r\nX-A: 1\r\n 2\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + _H + b"\r\nX-A : 1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + _H + b"\r\n: nameless\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + _H + b"\r\nno colon\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + _H + b"\r\nX-A: a\0b\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + _H + b"\r\nX-A: a\x01b\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + _H + b"\r\nX-A: a\rb\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + _H + b"\r\nX\0A: b\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + _H + b"\r\nX\xffA: b\r\n\r\n",
    b"GET /\0 HTTP/1.1\r\n" + _H + b"\r\n\r\n",
    b"GET /a b HTTP/1.1\r\n" + _H + b"\r\n\r\n",
    b"GET  / HTTP/1.1\r\n" + _H + b"\r\n\r\n",
    b"GET /\tHTTP/1.1\r\n" + _H + b"\r\n\r\n",
    b"GET / HTTP/1.1 \r\n" + _H + b"\r\n\r\n",
    b"GET / http/1.1\r\n" + _H + b"\r\n\r\n",
    b"GET / HTTP/1.2\r\n" + _H + b"\r\n\r\n",
    b"GET / HTTP/2.0\r\n" + _H + b"\r\n\r\n",
    b"GET / HTTP/11.1\r\n" + _H + b"\r\n\r\n",
    b"GET / HTTP/1.\r\n" + _H + b"\r\n\r\n",
    b"GET / FTP/1.1\r\n" + _H + b"\r\n\r\n",
    b"GET HTTP/1.1\r\n" + _H + b"\r\n\r\n",
    b"GE\0T / HTTP/1.1\r\n" + _H + b"\r\n\r\n",
    b"G\xc9T / HTTP/1.1\r\n" + _H + b"\r\n\r\n",
    b"BREW /pot HTTP/1.1\r\n" + _H + b"\r\n\r\n",
    b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n" + _H + b"\r\n\r\n",
    b"PRI * HTTP/1.1\r\n" + _H + b"\r\n\r\n",
    b"GET http:///x HTTP/1.1\r\n" + _H + b"\r\n\r\n",
    b"GET //[ HTTP/1.1\r\n" + _H + b"\r\n\r\n",
    b"GET http://[::1 HTTP/1.1\r\n" + _H + b"\r\n\r\n",
    b"GET nowhere HTTP/1.1\r\n" + _H + b"\r\n\r\n",
    b"* * *\r\n\r\n",
    b"\r\n" * 200 + b"x\r\n\r\n",
    b"\0" * 64 + b"\r\n\r\n",
    b"GET / HTTP/1.1\n" + _H + b"\n\n",
    b"GET / HTTP/1.1\r\n" + _H + b"\r\nX: y\n\r\n",
    b"GET / HTTP/1.1\r\n" + _H + b"\n\r\n",
    b"GET / HTTP/1.1\r" + _H + b"\r\r",
    b"POST /api/chat HTTP/1.1\r\n" + _H + b"\nContent-Length: 2\n\n{}",
    b"POST /api/chat HTTP/1.1\r\n" + _H + b"\r\nContent-Length: 2\n\r\n{}",
)
"""By RFC 9112 most of these must be refused; of the rest a server may make what it likes, but must end it."""


@case()
async def malformed_heads(world: World, chance: random.Random) -> None:
    """A dozen of them, each on a connection of its own, in one piece or in two."""
    for head in chance.sample(MALFORMED, 12):
        async with await world.caller() as caller:
            cut = chance.randrange(1, len(head)) if chance.random() < 0.5 else 0
            if cut:
                await caller.send(head[:cut])
            await caller.send(head[cut:])
            if chance.random() < 0.5:
                caller.half_close()
            try:
                answer = await caller.answer()
                if answer is not None and answer.status != 200:
                    expect(answer, *_REFUSED)
            except NotHeldError as wrong:
                raise NotHeldError(f"{head[:120]!r}: {wrong}") from wrong


@case()
async def hosts_none_or_two(world: World, chance: random.Random) -> None:
    """RFC 9112, 3.2: a request without a Host, or with two, is answered 400."""
    hosts = chance.choice(
        ([], ["127.0.0.1", "127.0.0.1"], ["127.0.0.1", "evil.example"], ["evil.example", "localhost"])
    )
    path = chance.choice(("/", "/api/tags", "/v1/models", "/metrics", "/modelpool/routes", "/api/chat"))
    lines = "".join(f"Host: {host}\r\n" for host in hosts)
    body = b"{}" if path == "/api/chat" else b""
    framing = f"Content-Length: {len(body)}\r\n" if body else ""
    async with await world.caller() as caller:
        head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\n{lines}{framing}\r\n".encode()
        await caller.send(head + body)
        expect(await caller.answer(), 400, 403, closed=True)


@case()
async def doubled_headers(world: World, chance: random.Random) -> None:
    """What tells lengths or kinds must be said once, or alike."""
    body = b'{"model":"x"}'
    pair = chance.choice(
        (
            ("Content-Length: 13", "Content-Length: 12"),
            ("Content-Length: 13", "Content-Length: 0"),
            ("Content-Length: 13, 12", ""),
            ("Content-Length: +13", ""),
            ("Content-Length: -1", ""),
            ("Content-Length: 0x0d", ""),
            ("Content-Length: 13 13", ""),
            ("Content-Length: ", ""),
            ("Content-Length: 99999999999999999999999999", ""),
            ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        )
    )
    lines = "".join(f"{line}\r\n" for line in pair if line)
    async with await world.caller() as caller:
        await caller.send(f"POST /api/chat HTTP/1.1\r\nHost: {HOST}\r\n{lines}\r\n".encode() + body)
        if chance.random() < 0.5:
            caller.half_close()
        expect(await caller.answer(), 400, 413, closed=True)


@case()
async def huge_heads(world: World, chance: random.Random) -> None:
    """Heads of up to some MiB, with and without an end."""
    size = chance.choice((9_000, 70_000, 300_000, 2_000_000))
    kind = chance.choice(("line", "name", "value", "many", "empty lines", "cookie"))
    filler = {
        "line": b"GET /" + b"a" * size + b" HTTP/1.1\r\n" + _H,
        "name": b"GET / HTTP/1.1\r\n" + _H + b"\r\n" + b"x" * size + b": y",
        "value": b"GET / HTTP/1.1\r\n" + _H + b"\r\nX: " + b"y" * size,
        "many": b"GET / HTTP/1.1\r\n" + _H + b"".join(b"\r\nX-%d: y" % number for number in range(size // 10)),
        "empty lines": b"\r\n" * (size // 2) + b"GET / HTTP/1.1\r\n" + _H,
        "cookie": b"GET / HTTP/1.1\r\n" + _H + b"\r\nCookie: a=b" * (size // 13),
    }[kind]
    async with await world.caller() as caller:
        await caller.send(filler + (b"\r\n\r\n" if chance.random() < 0.7 else b""))
        answer = await caller.answer(within=HEAD_SECONDS + SLACK_SECONDS)
        expect(answer, 200, 400, 404, 408, 414, 431, closed=True)


@case()
async def dribbled_head(world: World, chance: random.Random) -> None:
    """A head that comes byte by byte and never ends is given up in time; also the second one of a connection."""
    async with await world.caller() as caller:
        if chance.random() < 0.5:
            await caller.send(request("/healthz"))
            expect(await caller.answer(), 200)
        head = b"POST /api/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
        cut = chance.randrange(1, len(head))
        await caller.send(head[:cut])
        ends = HEAD_SECONDS + SLACK_SECONDS
        for byte in (head[cut:] + b"z" * 1000)[: int(ends / 0.2)]:
            if not await caller.send(bytes([byte]), 0.2):
                break
            try:
                expect(await caller.answer(within=0.2), 408, 400, closed=True)
            except NotHeldError as wrong:
                if "silence" not in str(wrong):
                    raise
            else:
                return
        expect(await caller.answer(within=1), 408, 400, closed=True)


@case()
async def bytes_over_127(world: World, chance: random.Random) -> None:
    """In what is read for the log, the queue and the engine: such a request is served or refused, never lost."""
    odd = bytes(chance.choice((chance.randrange(128, 256), 0x41)) for _ in range(chance.randrange(1, 80)))
    odd = chance.choice((odd, "ünï→🦙".encode(), b"\xff\xfe\x80", b"\xed\xa0\x80"))
    where = chance.choice(("User-Agent", "X-Source", "Authorization", "X-Request-Id", "Accept", "path", "query"))
    plain = chat(world.served)
    async with await world.caller() as caller:
        if where in ("path", "query"):
            target = ("/v1/models/" if where == "path" else "/api/version?x=") + odd.decode("utf-8", "surrogateescape")
            await caller.send(request(target))
            expect(await caller.answer(), 200, 400, 404, closed=True)
        else:
            line = where.encode() + b": " + odd
            await caller.send(request(chance.choice(("/api/chat", "/v1/chat/completions")), plain, line))
            expect(await caller.answer(), 200, 400, closed=True)
