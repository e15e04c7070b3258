"""Callers that speak something else, or an older or newer HTTP, or wait for leave to go on."""

import random
from typing import Final

from ..asking import DIALECTS, HOST, chat, expect, open_request, request
from ..case import case
from ..gateway import HEAD_SECONDS, SLACK_SECONDS
from ..wire import NotHeldError
from ..world import World

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS: Final = b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00\x03\x00\x00\x00\x64" * 3
_HELLO: Final = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
FOREIGN: Final = (
    _PREFACE,
    _PREFACE + _SETTINGS,
    _HELLO + b"\xab" * 505,
    b"SSH-2.0-OpenSSH_9.7\r\n",
    b"EHLO example.org\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"\x00\x00\x00\x85\xffSMB\x72\x00\x00",
    b"GET /\r\n",
    b"GET /api/tags\r\n\r\n",
    b"POST /api/chat\r\n\r\n{}",
)


@case()
async def foreign_protocols(world: World, chance: random.Random) -> None:
    """Each is refused or closed within the time for a head."""
    hello = chance.choice((*FOREIGN, bytes(chance.randrange(256) for _ in range(chance.randrange(1, 2000)))))
    async with await world.caller() as caller:
        await caller.send(hello)
        try:
            expect(
                await caller.answer(within=HEAD_SECONDS + SLACK_SECONDS), 400, 404, 405, 408, 431, 501, 505, closed=True
            )
            await caller.rest(within=HEAD_SECONDS + SLACK_SECONDS)
        except NotHeldError as wrong:
            raise NotHeldError(f"{hello[:60]!r}: {wrong}") from wrong


@case()
async def http_1_0(world: World, chance: random.Random) -> None:
    """Old callers are served, and their connection ends unless they ask to keep it."""
    keep = chance.random() < 0.5
    kept = "Connection: keep-alive\r\n" if keep else ""
    path = chance.choice(("/healthz", "/api/version", "/v1/models", "post"))
    host = chance.choice((f"Host: {HOST}\r\n", "Host: localhost\r\n"))
    async with await world.caller() as caller:
        if path == "post":
            told = request("/api/chat", chat(world.served, stream=True)).partition(b"\r\n\r\n")[2]
            head = f"POST /api/chat HTTP/1.0\r\n{host}{kept}Content-Length: {len(told)}\r\n\r\n".encode()
            await caller.send(head + told)
        else:
            await caller.send(f"GET {path} HTTP/1.0\r\n{host}{kept}\r\n".encode())
        answer = await caller.answer()
        expect(answer, 200)
        if answer is not None and "chunked" in answer.headers.get("transfer-encoding", ""):
            raise NotHeldError("chunks for HTTP/1.0")
        if not keep:
            await caller.rest(within=SLACK_SECONDS)


@case()
async def upgrades(world: World, chance: random.Random) -> None:
    """Nobody is switched to another protocol; the request is answered, and so is the one behind it."""
    wanted = chance.choice(("h2c", "websocket", "TLS/1.2", "h2c, websocket", "nonsense/9"))
    lines = (f"Upgrade: {wanted}", chance.choice(("Connection: Upgrade", "Connection: Upgrade, HTTP2-Settings")))
    settings = ("HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    path = chance.choice(tuple(DIALECTS.values()))
    wish = chance.choice((request("/api/version", None, *lines, *settings), request(path, chat(world.served), *lines)))
    async with await world.caller() as caller:
        await caller.send(wish + request("/healthz"))
        answer = await caller.answer()
        expect(answer, 200, 400, 501)
        if answer is not None and 101 in answer.interim:
            raise NotHeldError("switched protocols")
        if answer is not None and answer.status == 200:
            expect(await caller.answer(), 200, closed=answer.headers.get("connection", "") == "close")


@case()
async def upgrade_that_dribbles(world: World, chance: random.Random) -> None:
    """What follows an Upgrade is no way around the limits."""
    lines = ("Upgrade: websocket", "Connection: Upgrade", "Content-Length: 100000")
    async with await world.caller() as caller:
        await caller.send(open_request(chance.choice(tuple(DIALECTS.values())), *lines) + b'{"model":')
        expect(await caller.answer(), 400, 408, 426, 501, closed=True)


@case()
async def expectations(world: World, chance: random.Random) -> None:
    """Whoever waits for leave to go on gets it, or a refusal at once; other expectations are refused."""
    path = chance.choice(tuple(DIALECTS.values()))
    expects = chance.choice(("100-continue", "100-Continue", "200-ok", "100-continue, x", "nonsense"))
    body = request(path, chat(world.served)).partition(b"\r\n\r\n")[2]
    async with await world.caller() as caller:
        await caller.send(open_request(path, f"Expect: {expects}", f"Content-Length: {len(body)}"))
        if expects.lower() == "100-continue":
            await caller.until(b"HTTP/1.1 100 ")
            await caller.send(body)
            expect(await caller.answer(), 200)
        else:
            expect(await caller.answer(), 417, path=path)


@case()
async def refused_by_the_head(world: World, chance: random.Random) -> None:
    """What its head alone refuses is not asked for its body first."""
    method, path, length, statuses = chance.choice(
        (
            ("POST", "/nowhere", 100, (404,)),
            ("POST", "/v1/nowhere", 100, (404,)),
            ("PUT", "/v1/chat/completions", 100, (405,)),
            ("POST", "/api/pull", 100, (403,)),
            ("DELETE", "/api/delete", 100, (403,)),
            ("POST", "/v1/chat/completions", 1 << 32, (413,)),
            ("POST", "/api/chat", 1 << 40, (413,)),
            ("POST", "/v1/messages", 1 << 30, (413,)),
        )
    )
    async with await world.caller() as caller:
        await caller.send(open_request(path, "Expect: 100-continue", f"Content-Length: {length}", method=method))
        answer = await caller.answer()
        expect(answer, *statuses, path=path)
        if answer is not None and answer.interim:
            raise NotHeldError(f"{method} {path} of {length} bytes is let go on, then refused: {answer}")
