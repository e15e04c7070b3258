"""Engines whose answer begins well: it breaks off, never ends, or holds nonsense. Nobody takes it for a good one."""

import asyncio
import random

from .. import answers
from ..answers import EVENTS, JSON, LINES
from ..asking import chat, request
from ..case import case
from ..engine import Asked, Line
from ..gateway import SLACK_SECONDS
from ..wire import NotHeldError
from ..world import World
from .lies import let_say


@case()
async def breaks_off(world: World, chance: random.Random) -> None:
    """Answers cut short at any byte, by length, by chunks or by the connection's end."""
    framing = chance.choice(("length", "chunked", "old"))
    # Where the connection's end is the body's end, too, only JSON shows that something is missing.
    kind = JSON if framing == "old" else chance.choice((JSON, EVENTS, LINES))
    upstream = chance.choice(("/v1/chat/completions", "/v1/messages", "/api/chat"))
    body = b"".join(answers.pieces(upstream, "m", 40)) if kind != JSON else answers.document(upstream, "m", 200)
    match framing:
        case "length":
            said = answers.whole(body, kind)
            least, most = said.find(b"\r\n\r\n") + 4, len(said)
        case "chunked":
            said = answers.head(kind) + b"".join(answers.chunk(body[at : at + 97]) for at in range(0, len(body), 97))
            least, most = said.find(b"\r\n\r\n") + 4, len(said)
        case _:
            said = f"HTTP/1.0 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode() + body
            least, most = said.find(b"\r\n\r\n") + 5, len(said) - 30
    if chance.random() < 0.2:
        least, most = 1, least
    cut = chance.randrange(least, most)
    await let_say(world, chance, said[:cut], chance.choice(("close", "reset")))


@case()
async def done_without_end(world: World, chance: random.Random) -> None:
    """[DONE] is said and the connection stays open: the caller is not left waiting beyond the engine's time."""
    body = b"".join(answers.pieces(chance.choice(("/v1/chat/completions", "/v1/messages")), "m", 5))
    said = answers.head(EVENTS) + answers.chunk(body)
    await let_say(world, chance, said, "hang", whole=True)


@case()
async def stream_of_nonsense(world: World, chance: random.Random) -> None:
    """Events and lines that are none, inside of good framing."""
    junk = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 2000)))
    deep = chance.randrange(1000, 30_000)
    bad = chance.choice(
        (
            b"data: {\n\n", b"data: " + junk + b"\n\n", junk, b"data: null\n\n" * 10, b"data: []\n\n", b"{\n" * 10,
            b"data: " + b"[" * deep + b"\n\n", b'data: {"choices":[{"delta":{"content":' + b"[" * deep + b"\n\n",
            b'data: {"choices":[{"index":-1,"delta":{"tool_calls":[{"index":99999999,"function":{}}]}}]}\n\n',
            b'data: {"choices":7}\n\n', b"event: " + b"x" * 70_000 + b"\n\n", b"\n" * 5000, b"\r" * 5000, b":" * 5000,
            b'data: {"error":{"message":"\xff"}}\n\n', b'{"error":"oh"}\n', b"retry: 99999999999999999999\n\n",
        )
    )  # fmt: skip
    before = answers.openai_event("m", "word ") * chance.randrange(3)
    kind = chance.choice((EVENTS, EVENTS, LINES, JSON))
    said = answers.head(kind) + answers.chunk(before + bad) + answers.LAST
    await let_say(world, chance, said, chance.choice(("keep", "close")), whole=True)


@case()
async def dribbling_engine(world: World, chance: random.Random) -> None:
    """A head or a body that comes byte by byte: slow is slow, but a caller who leaves ends it."""
    left = asyncio.Event()
    head = b"HTTP/1.1 200 OK\r\nX-Slow: " if chance.random() < 0.5 else answers.head(JSON, length=100_000) + b"{"

    async def dribble(asked: Asked, line: Line) -> None:
        try:
            for byte in head + b" " * 1000:
                await line.send(bytes([byte]))
                await asyncio.sleep(0.05)
        except ConnectionError:
            left.set()
            raise

    async with world.engine("vllm") as engine:
        engine.script = dribble
        async with await world.caller() as caller:
            await caller.send(request("/v1/chat/completions", chat(engine.model)))
            await asyncio.sleep(0.5 + chance.random())
        try:
            async with asyncio.timeout(SLACK_SECONDS):
                await left.wait()
        except TimeoutError as late:
            raise NotHeldError("the caller has left; the engine still dribbles") from late
