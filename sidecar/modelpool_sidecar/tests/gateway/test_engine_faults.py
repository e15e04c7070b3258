"""What an engine does that HTTP does not allow, and answers that broke where only a connection's end ends them."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from .scenes import CHAT, Scene, backend, document, scene, until
from .scripted import Behaviour, Engine, Received, engine

WORD = b'data: {"id":"1","model":"served","choices":[{"index":0,"delta":{"content":"w"},"finish_reason":null}]}\n\n'
LAST = b'data: {"id":"1","model":"served","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
LINES = b'{"model":"served","message":{"role":"assistant","content":"w"},"done":false}\n'
MESSAGE = b'event: content_block_delta\ndata: {"type":"content_block_delta","model":"served"}\n\n'
WHOLE = b'{"model":"served","choices":[{"message":{"content":"w"},"finish_reason":"stop"}]}'


@asynccontextmanager
async def gated(
    folder: Path, behave: Behaviour, *, ollama: bool = False, **settings: Any
) -> AsyncIterator[tuple[Scene, Engine]]:
    async with engine(behave, models=["served"]) as played:
        kind = "ollama" if ollama else "vllm"
        routes = document(backend(kind, played.url, model="served"), name="served")
        async with scene(folder, routes, **settings) as gate:
            await gate.until_ready(True, model="served")
            yield gate, played


def read_until_it_ends(gate: Scene, path: str, body: dict[str, object], version: str, more: str) -> tuple[bytes, str]:
    """All that comes, and how it ended: "end", or "reset"."""
    data, told = json.dumps(CHAT | {"model": "served"} | body).encode(), b""
    with socket.create_connection(gate.running.listening[0], timeout=20) as caller:
        head = f"POST {path} HTTP/{version}\r\nHost: localhost\r\n{more}Content-Length: {len(data)}\r\n\r\n"
        caller.sendall(head.encode() + data)
        while True:
            try:
                piece = caller.recv(65536)
            except ConnectionResetError:
                return told, "reset"
            if not piece:
                return told, "end"
            told += piece


BROKEN: dict[str, tuple[str, dict[str, object], str, bytes, str]] = {
    "OpenAI's": ("/v1/chat/completions", {"stream": True}, "text/event-stream", WORD, "reset"),
    "Anthropic's": ("/v1/messages", {"stream": True}, "text/event-stream", MESSAGE, "reset"),
    # Their readers know an answer by its last line, and this one tells of an error.
    "Ollama's": ("/api/chat", {}, "application/x-ndjson", LINES, "end"),
    "translated": ("/api/chat", {}, "text/event-stream", WORD, "end"),
    "document": ("/v1/chat/completions", {}, "application/json", b'{"x":"' + b"y" * 3_000_000, "reset"),
}


@pytest.mark.parametrize("more", ["", "Connection: keep-alive\r\n"])
@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_answer_does_not_look_whole_to_an_old_caller(tmp_path: Path, case: str, more: str) -> None:
    """HTTP/1.0 has no other sign for the end of such a body than the connection's."""
    path, body, kind, sent, how = BROKEN[case]

    async def breaks(request: Received) -> None:
        await request.begin(kind)
        await request.chunk(sent)
        request.die()

    async with gated(tmp_path, breaks, ollama=case == "Ollama's") as (gate, _):
        told, ended = await asyncio.to_thread(read_until_it_ends, gate, path, body, "1.0", more)
        assert (ended, told[:13]) == (how, b"HTTP/1.1 200 ")
        assert (b'"error"' in told.splitlines()[-1] or b'"error"' in told[-300:]) is (case != "document")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/chat"])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_whole_answer_ends_in_order_for_an_old_caller(tmp_path: Path, path: str, stream: bool) -> None:
    async def answers(request: Received) -> None:
        if path == "/api/chat" or stream:
            await request.begin()
            await request.chunk(WORD + LAST + DONE)
            await request.end()
        else:
            await request.answer(WHOLE)

    async with gated(tmp_path, answers) as (gate, _):
        _, ended = await asyncio.to_thread(read_until_it_ends, gate, path, {"stream": stream}, "1.0", "")
        assert ended == "end"


TRUNCATED: dict[str, tuple[str, dict[str, object], str, bytes, bool]] = {
    "OpenAI's stream": ("/v1/chat/completions", {"stream": True}, "text/event-stream", WORD, True),
    "Anthropic's stream": ("/v1/messages", {"stream": True}, "text/event-stream", MESSAGE, True),
    "Ollama's stream": ("/api/chat", {}, "application/x-ndjson", LINES, True),
    "translated stream": ("/api/chat", {}, "text/event-stream", WORD, True),
    "translated document": ("/api/chat", {"stream": False}, "application/json", WHOLE[:-1], False),
    "embeddings": ("/api/embed", {"input": "x"}, "application/json", b'{"data":[{"embedding":[0.1,0.2', False),
    "document": ("/v1/chat/completions", {}, "application/json", WHOLE[:-1], False),
    "document's first half": ("/v1/chat/completions", {}, "application/json; charset=utf-8", WHOLE[:20], False),
    "empty document": ("/v1/chat/completions", {}, "application/json", b"", False),
}


@pytest.mark.parametrize("version", ["HTTP/1.0 200 OK\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n"])
@pytest.mark.parametrize("case", TRUNCATED)
async def test_an_answer_that_its_connections_end_ends_may_have_been_cut(
    tmp_path: Path, case: str, version: str
) -> None:
    path, body, kind, sent, begun = TRUNCATED[case]

    async def cut(request: Received) -> None:
        await request.send(f"{version}Content-Type: {kind}\r\n\r\n".encode() + sent)
        request.writer.close()

    async with gated(tmp_path, cut, ollama=case == "Ollama's stream") as (gate, _):
        told, _ = await asyncio.to_thread(read_until_it_ends, gate, path, body, "1.1", "Connection: close\r\n")
        assert told.startswith(b"HTTP/1.1 200 ") is begun, told
        assert b'"error"' in told
        if path != "/api/chat" and begun:
            assert not told.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("sent", "whole"), [(b'{"x":"' + b"y" * 3_000_000, False), (b'["' + b"y" * 3_000_000 + b'"] \n', True)]
)
async def test_a_large_document_without_its_last_bracket_is_cut_off(tmp_path: Path, sent: bytes, whole: bool) -> None:
    async def cut(request: Received) -> None:
        await request.send(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + sent)
        request.writer.close()

    async with gated(tmp_path, cut) as (gate, _):
        told, _ = await asyncio.to_thread(
            read_until_it_ends, gate, "/v1/chat/completions", {}, "1.1", "Connection: close\r\n"
        )
        assert told.endswith(b"0\r\n\r\n") is whole


@pytest.mark.parametrize("whole", [WHOLE, b" [1]\n", b"1"])
async def test_a_whole_document_that_its_connections_end_ends_passes(tmp_path: Path, whole: bytes) -> None:
    async def answers(request: Received) -> None:
        await request.send(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + whole)
        request.writer.close()

    async with (
        gated(tmp_path, answers) as (gate, _),
        gate.post("/v1/chat/completions", CHAT | {"model": "served"}) as response,
    ):
        assert (response.status, await response.read()) == (200, whole)


async def dribbles(request: Received, data: bytes, pause: float = 0.02) -> None:
    while not request.gone.is_set():
        await request.send(data)
        await asyncio.sleep(pause)


HEADS = {
    "dribbled": (b"HTTP/1.1 200 OK\r\nX: ", b"x", "silent"),
    "of informational answers, slowly": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", "silent"),
    "of informational answers, at once": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, "longer than"),
    "without end": (b"HTTP/1.1 200 OK\r\n", b"X: %b\r\n" % (b"x" * 5000), "longer than"),
    "of many headers": (b"HTTP/1.1 200 OK\r\n", b"X: x\r\n" * 200, "more than 256"),
    "of no status": (b"HTTP/1.1 099 OK\r\n\r\n", b"", "099 is no status"),
}


@pytest.mark.parametrize("case", HEADS)
async def test_a_head_comes_to_an_end(tmp_path: Path, case: str) -> None:
    """Its bytes are bounded, and so is its time, however little silence there is in it."""
    begin, again, told = HEADS[case]

    async def behaves(request: Received) -> None:
        await request.send(begin)
        await dribbles(request, again)

    async with gated(tmp_path, behaves, read_timeout=1.0) as (gate, played):
        async with gate.post("/v1/chat/completions", CHAT | {"model": "served"}) as response:
            assert response.status == 503
        assert told in gate.log.lines[-1].error
        await until(played.received[0].gone.is_set, seen=lambda: played.received)


TAILS = {
    "trailers without end": (b"0\r\n", b"X-Trailer: %b\r\n" % (b"x" * 900)),
    "a trailer without end": (b"0\r\nX-Trailer: ", b"x" * 4000),
    "an extension without end": (b"5;x=", b"x" * 4000),
}


@pytest.mark.parametrize("case", TAILS)
async def test_what_is_around_a_body_comes_to_an_end(tmp_path: Path, case: str) -> None:
    begin, again = TAILS[case]
    sent, go_on = 0, asyncio.Event()

    async def behaves(request: Received) -> None:
        nonlocal sent
        await request.begin()
        await request.chunk(WORD)
        await go_on.wait()
        await request.send(begin)
        while not request.gone.is_set() and sent < 64 * 1024 * 1024:
            await request.send(again)
            sent += len(again)

    async with gated(tmp_path, behaves) as (gate, played):
        async with gate.post("/v1/chat/completions", CHAT | {"model": "served", "stream": True}) as response:
            assert await response.content.readexactly(len(WORD)) == WORD
            go_on.set()
            assert (await response.content.readuntil(b"\n\n")).startswith(b'data: {"error"')
            with pytest.raises(aiohttp.ClientPayloadError):
                await asyncio.wait_for(response.content.read(), 20)
        await until(played.received[0].gone.is_set, seen=lambda: sent)
        assert sent < 24 * 1024 * 1024
