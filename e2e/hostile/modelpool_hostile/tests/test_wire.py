"""The attackers' own reading of answers: it must see a break, a second answer and silence for what they are."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from modelpool_hostile import answers
from modelpool_hostile.asking import ends_well, expect, request
from modelpool_hostile.engine import Engine
from modelpool_hostile.wire import Caller, NotHeldError


@asynccontextmanager
async def answered(*pieces: bytes) -> AsyncIterator[Caller]:
    """A caller of a server that says these pieces and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        async with await Caller.to(server.sockets[0].getsockname()[:2]) as caller:
            yield caller
    finally:
        server.close()


async def test_whole_answers_one_after_another() -> None:
    one, two = answers.whole(b"one"), answers.head(answers.EVENTS) + answers.chunk(b"two") + answers.LAST
    async with answered(b"HTTP/1.1 100 Continue\r\n\r\n" + one[:30], one[30:] + two) as caller:
        first, second, none = await caller.answer(), await caller.answer(), await caller.answer()
    assert first is not None
    assert second is not None
    assert (first.body, first.interim, second.body, second.whole, none) == (b"one", [100], b"two", True, None)


@pytest.mark.parametrize(
    "said",
    [
        answers.whole(b"one")[:-1],
        answers.head(answers.EVENTS) + answers.chunk(b"two"),
        answers.head(answers.EVENTS) + answers.chunk(b"two")[:-3],
    ],
)
async def test_a_break_is_seen(said: bytes) -> None:
    async with answered(said) as caller:
        answer = await caller.answer()
    assert answer is not None
    assert not answer.whole
    with pytest.raises(NotHeldError, match="wanted it whole"):
        expect(answer, 200)


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\nX", b"HTTP/1.1 099 X\r\n\r\n", b"junk\r\n\r\n"])
async def test_what_is_no_head_is_seen(said: bytes) -> None:
    async with answered(said) as caller:
        with pytest.raises(NotHeldError):
            await caller.answer()


async def test_silence_is_seen() -> None:
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        over.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with await Caller.to(server.sockets[0].getsockname()[:2]) as caller:
        with pytest.raises(NotHeldError, match="silence"):
            await caller.answer(within=0.05)
        with pytest.raises(NotHeldError, match="not closed"):
            await caller.rest(within=0.05)
    async with asyncio.timeout(5):
        await over.wait()
    server.close()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/api/chat", "/api/generate"])
async def test_the_engine_that_behaves_ends_well(path: str) -> None:
    engine = Engine(model="m", serves="m", kind="vllm")
    await engine.start()
    async with await Caller.to(("127.0.0.1", engine.port)) as caller:
        await caller.send(request(path, {"model": "m", "stream": True, "max_tokens": 4}))
        answer = await caller.answer()
    await engine.stop()
    assert answer is not None
    assert ends_well(answer, "/api/chat" if path.startswith("/api") else path)


@pytest.mark.parametrize(
    ("body", "path", "right"),
    [
        (b'{"error":"no"}', "/api/chat", True),
        (b'{"error":"no"}', "/v1/messages", False),
        (b'{"error":{"message":"no","type":"x"}}', "/v1/chat/completions", True),
        (b'{"error":{"message":"no","type":"x"}}', "/api/chat", False),
        (b'{"type":"error","error":{"message":"no","type":"x"}}', "/v1/messages", True),
        (b"<html>no</html>", "", False),
        (b"Traceback (most recent call last)", "", False),
        (b"x" * 5000, "", False),
    ],
)
async def test_a_refusal_is_held_to_its_dialect(body: bytes, path: str, right: bool) -> None:
    async with answered(answers.whole(body, status="400 Bad")) as caller:
        answer = await caller.answer()
    check: Callable[[], None] = lambda: expect(answer, 400, path=path)  # noqa: E731
    if right:
        check()
    else:
        with pytest.raises(NotHeldError):
            check()
